using System.Diagnostics;
using System.Text.Json;

namespace TinyLlm.Bench.Tokenizers;

/// <summary>An npm package on one thread, in a process of its own.</summary>
internal sealed class NpmEncoder : IEncoder
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    private readonly Process process;

    public NpmEncoder(NpmPackages packages, string package, string folder)
    {
        Name = $"{package} (npm), 1 thread";
        var start = packages.Node("encode.js", package.Split('@')[0], Path.Combine(folder, "tokenizer.json"));
        start.RedirectStandardInput = true;
        start.Environment["RAYON_NUM_THREADS"] = "1";
        process = Process.Start(start)!;
    }

    public string Name { get; }

    public Encoded Encode(Slice slice)
    {
        process.StandardInput.WriteLine(slice.JsonFile);
        process.StandardInput.Flush();
        string answer = process.StandardOutput.ReadLine()
            ?? throw new InvalidOperationException($"The process of {Name} ended; what it wrote before says why.");
        return JsonSerializer.Deserialize<Encoded>(answer, Json)!;
    }

    public void Dispose()
    {
        process.StandardInput.Close();
        process.WaitForExit();
        process.Dispose();
    }
}
