namespace TinyLlm.Bench.Processes;

/// <summary>A new folder among the system's temporary ones; gone with its owner.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("tinyllm-bench-").FullName;

    /// <summary>The path of a file in it.</summary>
    public string this[string name] => Path.Combine(path, name);

    public override string ToString() => path;

    public void Dispose() => Directory.Delete(path, recursive: true);
}
