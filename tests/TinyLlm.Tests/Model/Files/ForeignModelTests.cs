using System.Buffers.Binary;
using System.Text;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>
/// Folders of other programs: what they hold counts, and what finds no place here is refused by name.
/// </summary>
public sealed class ForeignModelTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Backend backend = Backend.Create("cpu", 1);
    private readonly List<string> notes = [];

    // Values of an independent forward pass in double precision.
    [Theory]
    [InlineData("rope-legacy-linear", 6.1058)]
    [InlineData("gpt2-untied", 6.5717)]
    [InlineData("llama-tied-other-head", 6.5139)]
    public void TheLoss_IsThatOfAnIndependentForwardPass(string model, double expected)
    {
        Assert.SkipUnless(Directory.Exists(Cases), "The cases are not beside the sources.");
        var (gpt, tokenizer) = ModelFolder.Load(Path.Combine(Cases, "models", model), backend, note: notes.Add);
        using var owner = gpt;
        Assert.Equal(expected, Loss(gpt, tokenizer), 1e-4);
        Assert.Equal(model == "llama-tied-other-head" ? 1 : 0, notes.Count);

        // Saved and opened again it is the same model.
        Directory.CreateDirectory(folder["again"]);
        ModelFolder.Save(folder["again"], gpt, tokenizer);
        var (again, _) = ModelFolder.Load(folder["again"], backend, note: notes.Add);
        using var ownerAgain = again;
        Assert.Equal(Loss(gpt, tokenizer), Loss(again, tokenizer));
        Assert.Equal(gpt.Config, again.Config);
    }

    [Theory]
    [InlineData(Architecture.Gpt2)]
    [InlineData(Architecture.Llama)]
    [InlineData(Architecture.Qwen3)]
    public void AHeadBesideATiedOne_CountsWhereItDiffers(Architecture architecture)
    {
        var tokenizer = new ByteTokenizer();
        using var untied = Model(architecture, tied: false);
        Directory.CreateDirectory(folder["model"]);
        ModelFolder.Save(folder["model"], untied, tokenizer);
        string config = File.ReadAllText(folder["model/config.json"])
            .Replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true", StringComparison.Ordinal);
        File.WriteAllText(folder["model/config.json"], config);

        var (loaded, _) = ModelFolder.Load(folder["model"], backend, note: notes.Add);
        using var owner = loaded;
        Assert.False(loaded.Config.TiedHead);
        Assert.Contains("has a head of its own", Assert.Single(notes), StringComparison.Ordinal);
        Assert.Equal(Loss(untied, tokenizer), Loss(loaded, tokenizer));
        using var tied = Model(architecture, tied: true);
        UserError.Expect(
            () => WeightsFile.Load(folder["model/model.safetensors"], tied),
            "lm_head.weight differs from the token table");

        // Written out once more, as many programs do, it is no other head.
        using var source = Model(architecture, tied: true);
        var writer = new SafetensorsWriter();
        var tensors = ModelRun.InFileLayout(source, p => p.Value);
        foreach (var (name, values) in tensors.Append(
            KeyValuePair.Create(
                "lm_head.weight",
                tensors[source.Parameters.All.First(p => p.Group == ParameterGroup.Embedding).Parts[0].Name])))
            writer.Add(name, DType.F32, Shape(source, name, values), destination => values.CopyTo(destination));
        writer.Save(folder["model/model.safetensors"]);
        notes.Clear();
        var (again, _) = ModelFolder.Load(folder["model"], backend, note: notes.Add);
        using var ownerAgain = again;
        Assert.True(again.Config.TiedHead);
        Assert.Empty(notes);
    }

    [Theory]
    [InlineData("F8_E4M3")]
    [InlineData("F8_E5M2")]
    [InlineData("I8")]
    [InlineData("U8")]
    public void WeightsOfATypeThatIsNotRead_AreNamed(string dtype)
    {
        using var model = Model(Architecture.Llama, tied: true);
        Directory.CreateDirectory(folder["model"]);
        ModelFolder.Save(folder["model"], model, new ByteTokenizer());
        long end = 0;
        var entries = model.Parameters.All.SelectMany(
            p => p.Parts.Select(
                part => (part.Name, p.Shape.Rank, part.Rows, Columns: (int)(p.Shape.Count / p.Shape[0])))).Select(t =>
        {
            long begin = end;
            end += (long)t.Rows * t.Columns;
            string shape = t.Rank == 1 ? $"{t.Rows}" : $"{t.Rows},{t.Columns}";
            return $"\"{t.Name}\":{{\"dtype\":\"{dtype}\",\"shape\":[{shape}],\"data_offsets\":[{begin},{end}]}}";
        });
        byte[] header = Encoding.UTF8.GetBytes($"{{{string.Join(',', entries)}}}"), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        File.WriteAllBytes(folder["model/model.safetensors"], [.. length, .. header, .. new byte[end]]);
        UserError.Expect(
            () => ModelFolder.Load(folder["model"], backend), ".weight has the dtype " + dtype,
            $"has the dtype {dtype}", "expected F32, BF16 or F16");
    }

    [Fact]
    public void FilesOfPyTorch_AreCalledThat()
    {
        using var model = Model(Architecture.Llama, tied: true);
        Directory.CreateDirectory(folder["model"]);
        ModelFolder.Save(folder["model"], model, new ByteTokenizer());
        File.Move(folder["model/model.safetensors"], folder["model/pytorch_model.bin"]);
        UserError.Expect(
            () => ModelFolder.Load(folder["model"], backend), "pytorch_model.bin", "expected model.safetensors",
            "safe_serialization");
    }

    [Fact]
    public void AnAdapterOfTheHead_IsRefused()
    {
        Assert.SkipUnless(Directory.Exists(Cases), "The cases are not beside the sources.");
        FolderContent.Copy(Path.Combine(Cases, "models", "lora-lm-head"), folder["adapter"]);
        string path = folder["adapter/adapter_config.json"], json = File.ReadAllText(path);
        File.WriteAllText(
            path, json.Replace(
                "models/lora-base", Path.Combine(Cases, "models", "lora-base"), StringComparison.Ordinal));
        UserError.Expect(
            () => ModelFolder.Load(folder["adapter"], backend), "base_model.model.lm_head.lora_A.weight",
            "has no place");
    }

    public void Dispose()
    {
        backend.Dispose();
        folder.Dispose();
    }

    private static string Cases => Path.Combine(Repository.Root ?? "", "..", "shared", "cases");

    private Gpt Model(Architecture architecture, bool tied)
    {
        var model = new Gpt(GptConfig.Create(architecture, 1, 2, 16, 32, 259) with { TiedHead = tied }, backend);
        model.Initialize(3);
        return model;
    }

    private static int[] Shape(Gpt model, string name, float[] values)
    {
        if (model.Parameters.All.SelectMany(p => p.Parts.Select(part => (p, part)))
            .FirstOrDefault(t => t.part.Name == name) is not ({ } parameter, { } part))
            return [values.Length / model.Config.Width, model.Config.Width];
        return parameter.Shape.Rank == 1 ? [values.Length] : part.Transposed ? [parameter.Shape[1], part.Rows]
            : [part.Rows, parameter.Shape[1]];
    }

    private double Loss(Gpt model, Tokenizer tokenizer)
    {
        folder.Write("text.txt", Text);
        var source = DataSource.Parse([folder["text.txt"]], new SourceOptions("text", null, Strict: false))[0];
        using var corpus = Corpus.Open(source, Split.Test, tokenizer, model.Config.Context);
        return new Evaluator(corpus.Validation, tokenizer, 4)
            .Evaluate(model, 4, new ExampleScore[corpus.Validation.Count], CancellationToken.None)!.Loss;
    }

    private static string Text =>
        File.Exists(Path.Combine(Cases, "ev60.txt")) ? File.ReadAllText(Path.Combine(Cases, "ev60.txt"))
            : "the cat sat on a mat, and saw one small dog near the barn.\n";
}
