namespace TinyLlm.Training;

/// <summary>
/// Keeps a run's folder to one process: two that write into it would mix their weights and checkpoints. The system
/// takes the lock back when a process ends, however it ends, so that what a killed one leaves stands in nobody's way.
/// </summary>
internal sealed class RunLock : IDisposable
{
    /// <summary>The file's name in the run's folder; it is removed with the lock.</summary>
    public const string Name = ".tinyllm.lock";

    private readonly FileStream file;

    private RunLock(FileStream file) => this.file = file;

    /// <summary>Takes the lock.</summary>
    /// <param name="folder">The run's folder, which exists.</param>
    /// <exception cref="TinyLlmException">
    /// Another process, or another run of this one, has it, or the file system refused.
    /// </exception>
    public static RunLock Take(string folder)
    {
        string path = Path.Combine(folder, Name);
        while (true)
        {
            var file = Open(path, folder);
            // Whoever had the lock may have removed the file after it was opened here: then a third could make a new
            // one.
            if (OperatingSystem.IsWindows() || File.Exists(path))
                return new RunLock(file);
            file.Dispose();
        }
    }

    public void Dispose() => file.Dispose();

    private static FileStream Open(string path, string folder)
    {
        try
        {
            return new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                Options = FileOptions.DeleteOnClose,
            });
        }
        catch (Exception e) when (FileErrors.IsInUse(e))
        {
            throw new TinyLlmException(
                $"{folder}: another process is training in this folder; wait until it has ended, or choose another "
                + "folder.", e);
        }
        catch (Exception e) when (FileErrors.Is(e))
        {
            throw FileErrors.Writing(folder, e, kept: false);
        }
    }
}
