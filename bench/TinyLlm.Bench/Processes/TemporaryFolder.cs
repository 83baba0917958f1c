using System.Runtime.InteropServices;

namespace TinyLlm.Bench.Processes;

/// <summary>
/// A new folder among the system's temporary ones; gone with its owner, or when the program is told to end.
/// </summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("tinyllm-bench-").FullName;
    private readonly PosixSignalRegistration[] ends;

    public TemporaryFolder() =>
        ends = [.. ((PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM])
        .Select(signal => PosixSignalRegistration.Create(signal, _ => Delete()))];

    /// <summary>The path of a file in it.</summary>
    public string this[string name] => Path.Combine(path, name);

    public override string ToString() => path;

    public void Dispose()
    {
        foreach (var end in ends)
            end.Dispose();
        Delete();
    }

    private void Delete()
    {
        if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
    }
}
