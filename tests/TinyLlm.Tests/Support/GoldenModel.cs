using System.Text.Json;
using TinyLlm.Kernels;
using TinyLlm.Model;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>A small model with the values that PyTorch computed for it; see Golden/README.md.</summary>
internal sealed class GoldenModel : IDisposable
{
    private readonly SafetensorsReader expected;

    public GoldenModel(string architecture)
    {
        Folder = Path.Combine(AppContext.BaseDirectory, "Golden", "models", architecture);
        expected = SafetensorsReader.Open(Path.Combine(Folder, "expected.safetensors"));
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "tokens.json")));
        Tokens = Rows(json.RootElement.GetProperty("tokens"));
        Targets = Rows(json.RootElement.GetProperty("targets"));
        B = json.RootElement.GetProperty("tokens").GetArrayLength();
        T = Tokens.Length / B;
    }

    public static TheoryData<string> Architectures => ["gpt2", "llama", "qwen3"];

    public string Folder { get; }

    public int B { get; }

    public int T { get; }

    public int[] Tokens { get; }

    public int[] Targets { get; }

    /// <summary>The model with the file's weights.</summary>
    public Gpt Load(Backend backend)
    {
        var model = new Gpt(ConfigFile.Read(Path.Combine(Folder, ConfigFile.Name)), backend);
        WeightsFile.Load(Path.Combine(Folder, WeightsFile.Name), model);
        return model;
    }

    public float[] Expected(string name)
    {
        var values = new float[expected[name].Count];
        expected.Read(name, values);
        return values;
    }

    public void Dispose() => expected.Dispose();

    private static int[] Rows(JsonElement rows) => rows.EnumerateArray().SelectMany(r => r.EnumerateArray()).Select(v => v.GetInt32()).ToArray();
}
