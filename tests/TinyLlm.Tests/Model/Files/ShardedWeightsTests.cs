using System.Text.Json;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>A model whose weights are in several files with an index, as Hugging Face cuts large ones.</summary>
public sealed class ShardedWeightsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Backend backend = Backend.Create("cpu", 1);
    private readonly Dictionary<string, float[]> expected;

    public ShardedWeightsTests()
    {
        var tokenizer = new ByteTokenizer();
        using var model = new Gpt(GptConfig.Create(Architecture.Gpt2, 2, 2, 16, 8, tokenizer.VocabularySize), backend);
        model.Initialize(3);
        Directory.CreateDirectory(folder["model"]);
        ModelFolder.Save(folder["model"], model, tokenizer);
        expected = ModelRun.InFileLayout(model, p => p.Value);
        Cut();
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("BF16")]
    public void TheParts_AreOneModel(string type)
    {
        Cut(Enum.Parse<DType>(type));
        var (model, _) = ModelFolder.Load(folder["model"], backend);
        using var owner = model;
        var actual = ModelRun.InFileLayout(model, p => p.Value);
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        foreach (var (name, values) in expected)
        {
            Compare.Close(
                name, [.. values.Select(v => (double)v)], actual[name], values.Length, type == "F32" ? 0 : 3e-3, 1);
        }
    }

    [Fact]
    public void DamagedIndices_AreRefused()
    {
        string index = folder["model/model.safetensors.index.json"], whole = File.ReadAllText(index);
        Refused(whole.Replace("part-2", "part-3", StringComparison.Ordinal), "part-3.safetensors");
        Refused(whole.Replace("part-2", "../part-2", StringComparison.Ordinal), "not the name of a file beside it");
        Refused("{\"weight_map\": {}}", "weight_map is empty");
        Refused("{\"weights\": 1}", "index.json", "damaged");
        Refused("{", "index.json", "damaged");
        Refused("{\"weight_map\": {\"transformer.wte.weight\": \"part-1.safetensors\"}}", "model.safetensors");
        string[] bySize =
            [.. Directory.GetFiles(folder["model"], "part-*").OrderByDescending(path => new FileInfo(path).Length)];
        File.Copy(bySize[0], bySize[1], overwrite: true);
        Refused(whole, "expected each in one file");

        void Refused(string text, params string[] parts)
        {
            File.WriteAllText(index, text);
            UserError.Expect(() => ModelFolder.Load(folder["model"], backend), parts);
        }
    }

    public void Dispose()
    {
        backend.Dispose();
        folder.Dispose();
    }

    // In two files, every other tensor.
    private void Cut(DType type = DType.F32)
    {
        File.Delete(folder["model/model.safetensors"]);
        using var model = new Gpt(ConfigFile.Read(folder["model/config.json"]), backend);
        var map = new Dictionary<string, string>();
        for (int part = 0; part < 2; part++)
        {
            var writer = new SafetensorsWriter();
            foreach (var (name, values) in expected.OrderBy(e => e.Key, StringComparer.Ordinal)
                .Where((_, i) => i % 2 == part))
            {
                var parameter = model.Parameters.All.Single(p => p.Parts.Any(f => f.Name == name));
                int[] shape = parameter.Shape.Rank == 1 ? [values.Length]
                    : parameter.Parts[0].Transposed ? [parameter.Shape[1], parameter.Shape[0]]
                        : [values.Length / parameter.Shape[1], parameter.Shape[1]];
                writer.Add(name, type, shape, destination => values.CopyTo(destination));
                map[name] = $"part-{part + 1}.safetensors";
            }

            writer.Save(folder[$"model/part-{part + 1}.safetensors"]);
        }

        File.WriteAllText(
            folder["model/model.safetensors.index.json"],
            JsonSerializer.Serialize(new { metadata = new { total_size = 1 }, weight_map = map }));
    }
}
