using System.Text.Json;
using TinyLlm.Kernels;
using TinyLlm.Model;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>A small model with the values that PyTorch computed for it; see Golden/README.md.</summary>
internal sealed class GoldenModel : IDisposable
{
    private const double Tolerance = 1e-4;

    private readonly SafetensorsReader expected;

    /// <summary>
    /// Opens the golden values of an architecture; <paramref name="values"/> names the file of what is expected.
    /// </summary>
    public GoldenModel(string architecture, string values = "expected")
    {
        Folder = Path.Combine(AppContext.BaseDirectory, "Golden", "models", architecture);
        expected = SafetensorsReader.Open(Path.Combine(Folder, values + ".safetensors"));
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

    /// <summary>The sequences and settings of <c>finetuning.json</c>.</summary>
    public JsonElement FinetuningInputs()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "finetuning.json")));
        return json.RootElement.Clone();
    }

    /// <summary>Whether the values are PyTorch's, by their distance over their length.</summary>
    public void Close(string name, IReadOnlyList<float> actual)
    {
        float[] values = Expected(name);
        Assert.Equal(values.Length, actual.Count);
        double difference = Math.Sqrt(values.Zip(actual, (a, b) => ((double)a - b) * ((double)a - b)).Sum());
        double norm = Math.Sqrt(values.Sum(a => (double)a * a));
        if (!(difference <= Tolerance * norm))
        {
            Assert.Fail($"{name}: ||expected - actual|| / ||expected|| is {difference / norm:E2}; at most "
                + $"{Tolerance:E0} is allowed.");
        }
    }

    /// <summary>
    /// The same for every gradient of a model, or every weight, by the names of its file behind a prefix.
    /// </summary>
    public void CloseAll(string prefix, Gpt model, Func<Parameter, Tensor> tensorOf)
    {
        foreach (var (name, values) in ModelRun.InFileLayout(model, tensorOf))
        {
            if (!IsKeyBias(name))
            {
                Close(prefix + name, values);
                continue;
            }

            // A key's bias adds the same to all scores of a query, which softmax ignores: its gradient is zero but for
            // rounding.
            float[] whole = Expected(prefix + name);
            int third = values.Length / 3;
            whole.AsSpan(third, third).CopyTo(values.AsSpan(third, third));
            Close(prefix + name, values);
        }
    }

    public void Dispose() => expected.Dispose();

    /// <summary>The whole numbers of a JSON array.</summary>
    public static int[] Numbers(JsonElement values) => [.. values.EnumerateArray().Select(v => v.GetInt32())];

    private static bool IsKeyBias(string name) => name.EndsWith("c_attn.bias", StringComparison.Ordinal);

    private static int[] Rows(JsonElement rows) => rows.EnumerateArray().SelectMany(Numbers).ToArray();
}
