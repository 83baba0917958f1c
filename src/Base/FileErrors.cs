namespace TinyLlm;

/// <summary>Turns what the file system reports into one line for the user: which file, why, and what to do.</summary>
public static class FileErrors
{
    /// <summary>
    /// Whether <paramref name="exception"/> comes from the file system: a full disk, a file grown too large, a missing
    /// right, a bad path.
    /// </summary>
    public static bool Is(Exception exception) =>
        exception is IOException or UnauthorizedAccessException || IsTooLarge(exception);

    /// <summary>
    /// Whether <paramref name="exception"/> says that another process, or another stream of this one, holds the file.
    /// </summary>
    // EAGAIN on Linux, EWOULDBLOCK on macOS; ERROR_SHARING_VIOLATION on Windows.
    public static bool IsInUse(Exception exception) => exception is IOException
        && (OperatingSystem.IsWindows() ? (exception.HResult & 0xFFFF) is 32 : exception.HResult is 11 or 35);

    /// <summary>The line for a file that could not be read.</summary>
    public static TinyLlmException Reading(string path, Exception exception) => exception switch
    {
        FileNotFoundException or UnauthorizedAccessException when Directory.Exists(path) =>
            new TinyLlmException($"{path}: this is a folder; expected a file.", exception),
        FileNotFoundException or DirectoryNotFoundException =>
            new TinyLlmException($"{path}: there is no such file; check the path.", exception),
        _ => new TinyLlmException(
            $"{path}: could not be read ({Reason(exception)}); check the path and your rights to it.", exception),
    };

    /// <summary>The line for a file or folder that could not be written.</summary>
    /// <param name="path">What was to be written, by its final name.</param>
    /// <param name="exception">What the file system reported.</param>
    /// <param name="kept">Whether an earlier version exists, which is untouched.</param>
    public static TinyLlmException Writing(string path, Exception exception, bool kept)
    {
        string remedy = IsDiskFull(exception) ? "free some space"
            : IsTooLarge(exception) ? "choose a folder on another disk" : "check the path and your rights to it";
        string earlier = kept ? "; the earlier version is kept" : "";
        return new TinyLlmException(
            $"{path}: could not be written ({Reason(exception)}){earlier}; {remedy} and run again.", exception);
    }

    // The system's own text names our temporary file, which tells the user nothing; a full disk is common enough for
    // words of its own.
    private static string Reason(Exception exception) =>
        IsDiskFull(exception) ? "the disk is full"
        : IsTooLarge(exception) ? "the file is larger than its file system or a limit of the system allows"
        : exception.Message.ReplaceLineEndings(" ").TrimEnd('.');

    // EFBIG: 4 GiB on FAT32, or ulimit -f. .NET reports it as if the program had given a wrong length.
    private static bool IsTooLarge(Exception exception) =>
        exception is ArgumentOutOfRangeException { ParamName: "value" };

    // ENOSPC and EDQUOT on Linux, EDQUOT on macOS; ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL on Windows.
    private static bool IsDiskFull(Exception exception) => exception is IOException
        && (OperatingSystem.IsWindows() ? (exception.HResult & 0xFFFF) is 39 or 112
        : exception.HResult is 28 or 122 or 69);
}
