using System.Runtime.InteropServices;
using System.Text;

namespace TinyLlm;

/// <summary>
/// Writes files so that a crash, a kill or a full disk at any moment leaves the earlier version good: the bytes go to a
/// temporary name in the same folder, are flushed to the disk, and are then renamed over the final name in one step.
/// </summary>
/// <remarks>
/// The temporary name is the final one with <see cref="TemporarySuffix"/>: what a kill leaves behind is replaced by the
/// next write, and never piles up. One process at a time may write a file.
/// </remarks>
public static class AtomicFile
{
    /// <summary>Ends the name of a file or folder that is still being written.</summary>
    public const string TemporarySuffix = ".tinyllm-new";

    /// <summary>
    /// Replaces the file at <paramref name="path"/> by what <paramref name="write"/> writes; makes missing folders.
    /// </summary>
    /// <exception cref="TinyLlmException">
    /// The file system refused (disk full, no right to write). The earlier version is kept and the temporary file is
    /// gone. </exception>
    public static void Write(string path, Action<Stream> write)
    {
        string temporary = path + TemporarySuffix;
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
                Directory.CreateDirectory(folder);

            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
            FlushFolder(Path.GetDirectoryName(Path.GetFullPath(path)));
        }
        catch (Exception exception)
        {
            Remove(temporary);
            if (FileErrors.Is(exception))
                throw FileErrors.Writing(path, exception, File.Exists(path));
            throw;
        }
    }

    /// <summary>
    /// Replaces the file at <paramref name="path"/> by <paramref name="text"/> as UTF-8 without a byte order mark.
    /// </summary>
    /// <exception cref="TinyLlmException">As <see cref="Write"/>.</exception>
    public static void WriteText(string path, string text) =>
        Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>
    /// Asks the system to make the names in <paramref name="folder"/> durable, where it has such a call (Linux and
    /// macOS). A refusal is ignored: the rename itself is still all or nothing, it may only come undone in a power cut.
    /// </summary>
    internal static void FlushFolder(string? folder)
    {
        if (OperatingSystem.IsWindows())
            return;

        int descriptor = Open(string.IsNullOrEmpty(folder) ? "." : folder, 0);
        if (descriptor < 0)
            return;
        _ = Fsync(descriptor);
        _ = Close(descriptor);
    }

    private static void Remove(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            // The first error is the one to report; what stays behind is replaced by the next write.
        }
    }

    // .NET opens no folder as a file, and only a file can be flushed.
    [DllImport("libc", EntryPoint = "open")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", EntryPoint = "fsync")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Fsync(int descriptor);

    [DllImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Close(int descriptor);
}
