namespace TinyLlm;

/// <summary>
/// Writes whole folders so that a crash, a kill or a full disk at any moment leaves a good one. The new folder is built
/// under a temporary name beside the final one and flushed; then the old one is renamed aside, the new one renamed in,
/// the old one deleted.
/// </summary>
/// <remarks>
/// Between the two renames only the aside name exists. <see cref="Find"/> knows that, so that a reader never needs to
/// wait, and <see cref="Recover"/> repairs it. One process at a time may write or recover a folder.
/// </remarks>
public static class AtomicFolder
{
    /// <summary>Ends the name of an earlier folder that was moved aside while a new one takes its place.</summary>
    public const string AsideSuffix = ".tinyllm-old";

    /// <summary>
    /// Replaces the folder at <paramref name="path"/> by what <paramref name="build"/> writes into the empty folder
    /// that it is given.
    /// </summary>
    /// <exception cref="TinyLlmException">The file system refused. The earlier version is kept and the temporary folder
    /// is gone.</exception>
    public static void Write(string path, Action<string> build)
    {
        path = Path.TrimEndingDirectorySeparator(path);
        string temporary = path + AtomicFile.TemporarySuffix;
        try
        {
            Recover(path);
            if (File.Exists(path))
            {
                throw new TinyLlmException(
                    $"{path}: this is a file; expected a folder or a free name. Move it away or choose another name.");
            }

            Directory.CreateDirectory(temporary);
            build(temporary);
            Flush(temporary);
            Replace(path, temporary);
        }
        catch (Exception exception)
        {
            TryDelete(temporary);

            // A file that the builder wrote reports its own temporary name; the folder's final name is what the user
            // knows.
            Exception cause = exception is TinyLlmException { InnerException: { } inner } ? inner : exception;
            if (FileErrors.Is(cause))
                throw FileErrors.Writing(path, cause, Directory.Exists(path));
            throw;
        }
    }

    /// <summary>
    /// Repairs what an interrupted <see cref="Write"/> left: moves the earlier folder back where no new one took its
    /// place, and deletes temporary and superseded folders. Does nothing where nothing was interrupted.
    /// </summary>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public static void Recover(string path)
    {
        path = Path.TrimEndingDirectorySeparator(path);
        string temporary = path + AtomicFile.TemporarySuffix, aside = path + AsideSuffix;
        try
        {
            if (Directory.Exists(aside) && !Directory.Exists(path))
                Directory.Move(aside, path);
            Delete(aside);
            Delete(temporary);
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Writing(path, exception, Directory.Exists(path));
        }
    }

    /// <summary>
    /// Runs <see cref="Recover"/> for every folder directly in <paramref name="parent"/>; nothing where it does not
    /// exist.
    /// </summary>
    /// <exception cref="TinyLlmException">The file system refused.</exception>
    public static void RecoverAll(string parent)
    {
        if (!Directory.Exists(parent))
            return;
        foreach (string name in Directory.GetDirectories(parent))
            if (IsTemporary(name))
                Recover(name[..name.LastIndexOf('.')]);
    }

    /// <summary>
    /// The folder to read for <paramref name="path"/>, without changing anything: itself, or, in the moment between the
    /// two renames, the earlier one under its aside name. Null where there is neither.
    /// </summary>
    public static string? Find(string path)
    {
        path = Path.TrimEndingDirectorySeparator(path);
        if (Directory.Exists(path))
            return path;
        return Directory.Exists(path + AsideSuffix) ? path + AsideSuffix : null;
    }

    /// <summary>
    /// Whether this name is one that only an unfinished <see cref="Write"/> leaves; listings skip it.
    /// </summary>
    public static bool IsTemporary(string path) =>
        path.EndsWith(AtomicFile.TemporarySuffix, StringComparison.Ordinal)
        || path.EndsWith(AsideSuffix, StringComparison.Ordinal);

    private static void Replace(string path, string temporary)
    {
        string aside = path + AsideSuffix;
        string? parent = Path.GetDirectoryName(Path.GetFullPath(path));
        bool replaces = Directory.Exists(path);
        if (replaces)
            Directory.Move(path, aside);
        try
        {
            Directory.Move(temporary, path);
        }
        catch when (replaces)
        {
            Directory.Move(aside, path);
            throw;
        }

        // The new name must be on the disk before the old folder goes: a power cut may otherwise undo the one and not
        // the other.
        AtomicFile.FlushFolder(parent);
        if (replaces)
            TryDelete(aside);
    }

    private static void Flush(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
            stream.Flush(flushToDisk: true);
        }

        foreach (string inner in Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories))
            AtomicFile.FlushFolder(inner);
        AtomicFile.FlushFolder(folder);
    }

    private static void Delete(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    private static void TryDelete(string folder)
    {
        try
        {
            Delete(folder);
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            // What stays behind is superseded or unfinished, and the next write or recovery deletes it.
        }
    }
}
