using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Model;

public sealed class LoraTestsOnCpu256 : LoraTests<Cpu256Threads3>;

public sealed class LoraTestsOnSimulated() : LoraTests<Simulated>(layers: 1);

public static class LoraCases
{
    /// <summary>Architectures, and the layers that have adapters.</summary>
    public static TheoryData<Architecture, string[]> All => new()
    {
        { Architecture.Gpt2, ["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"] }, { Architecture.Gpt2, ["c_attn"] },
            { Architecture.Gpt2, ["mlp.c_proj"] },
        { Architecture.Llama, ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] },
        { Architecture.Qwen3, ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] },
        { Architecture.Qwen3, ["v_proj", "up_proj"] },
    };
}

/// <summary>
/// Adapters against the weights that they stand for: what a model with them computes is what one with W + alpha / rank
/// B A does.
/// </summary>
public abstract class LoraTests<TDevice>(int layers = 2) : BackendTests<TDevice> where TDevice : IDevice
{
    private const int B = 2, T = 6, Vocabulary = 20, Rank = 3;

    private static readonly int[] tokens = new RandomValues(1).Integers(B * T, 0, Vocabulary),
        scored = new RandomValues(2).Integers(B * T, -4, Vocabulary);

    [Theory]
    [MemberData(nameof(LoraCases.All), MemberType = typeof(LoraCases))]
    public void FreshAdapters_ChangeNoBit(Architecture architecture, string[] targetLayers)
    {
        using var model = Model(architecture, null);
        using var adapted = Model(architecture, targetLayers);
        adapted.InitializeAdapter(5);
        using ModelRun plain = new(model, B, T), run = new(adapted, B, T);
        Compare.SameBits("log-probabilities", plain.Forward(tokens, scored), run.Forward(tokens, scored));
        Assert.All(adapted.Adapter!.Parameters.All.Where(
            p => p.Name.EndsWith("lora_A.weight", StringComparison.Ordinal)),
            p => Assert.Contains(ModelRun.Read(p.Value), v => v != 0));
    }

    [Theory]
    [MemberData(nameof(LoraCases.All), MemberType = typeof(LoraCases))]
    public void LossAndGradients_AreThoseOfTheMergedWeights(Architecture architecture, string[] targetLayers)
    {
        using var adapted = Model(architecture, targetLayers);
        Randomize(adapted);
        using var merged = Merged(adapted, architecture);
        using ModelRun plain = new(merged, B, T), run = new(adapted, B, T);

        double expected = plain.LossAndGradients(tokens, scored), actual = run.LossAndGradients(tokens, scored);

        Assert.Equal(expected, actual, 1e-5);
        var weights = adapted.Adapter!.Parameters.All.ToDictionary(p => p.Name, p => ModelRun.Read(p.Value));
        var gradients = ModelRun.InFileLayout(merged, p => p.Gradient!.Value);
        float scale = adapted.Adapter.Settings.Scale;
        foreach (var parameter in merged.Parameters.All.Where(p => p.Group == ParameterGroup.Matrix))
        {
            float[] whole = ModelRun.Read(parameter.Gradient!.Value);
            foreach (var part in parameter.Parts.Where(
                part => adapted.Adapter.Settings.Covers(part.Name[..^".weight".Length])))
            {
                string name = "base_model.model." + part.Name[..^".weight".Length];
                int inputs = parameter.Shape[1];
                float[] dW = whole[(part.FirstRow * inputs)..((part.FirstRow + part.Rows) * inputs)];
                float[] a = weights[name + ".lora_A.weight"], b = weights[name + ".lora_B.weight"];
                double[] dA = new double[a.Length], dB = new double[b.Length];
                for (int row = 0; row < part.Rows; row++)
                {
                    for (int k = 0; k < Rank; k++)
                    {
                        for (int i = 0; i < inputs; i++)
                        {
                            dA[k * inputs + i] += scale * b[row * Rank + k] * (double)dW[row * inputs + i];
                            dB[row * Rank + k] += scale * (double)dW[row * inputs + i] * a[k * inputs + i];
                        }
                    }
                }

                Compare.Close(name + " dA", dA, Gradient(adapted, name + ".lora_A.weight"), dA.Length, 2e-5, 1);
                Compare.Close(name + " dB", dB, Gradient(adapted, name + ".lora_B.weight"), dB.Length, 2e-5, 1);
            }
        }

        Assert.All(adapted.Parameters.All, p => Assert.Null(p.Gradient));
    }

    [Theory]
    [InlineData(Architecture.Gpt2)]
    [InlineData(Architecture.Qwen3)]
    public void WithDropout_TheGradientIsThatOfTheLoss(Architecture architecture)
    {
        Assert.SkipUnless(OnCpu, "The simulator takes minutes for its many passes.");
        using var adapted = Model(architecture, [.. LoraSettings.LayersOf(architecture)], dropout: 0.3f);
        Randomize(adapted);
        using var run = new ModelRun(adapted, B, T);
        float[] weights = [.. scored.Select(t => t >= 0 ? 0.1f : 0)];
        run.State.Send(9, 4, 0, 0, 0.9f, 0.99f);
        double Loss() => -run.Forward(tokens, scored, training: true).Zip(weights, (p, w) => (double)p * w).Sum();
        Loss();
        Backend.Fill(adapted.AllGradients, 0);
        run.Backward(weights, training: true);
        double without = -run.Forward(tokens, scored).Zip(weights, (p, w) => (double)p * w).Sum();
        Assert.NotEqual(without, Loss(), 1e-4);

        DirectionalSlope.Check(adapted.Trained.All, Loss, step: 3e-4f); // the loss is strongly curved here
    }

    [Fact]
    public void AFolder_KeepsAdapters_AndTheirBase()
    {
        Assert.SkipUnless(OnCpu, "Files do not depend on the device.");
        using var folder = new TemporaryFolder();
        var tokenizer = new ByteTokenizer();
        string[] targets = ["q_proj", "down_proj"];
        var config = GptConfig.Create(Architecture.Qwen3, 2, 2, 16, T, tokenizer.VocabularySize);
        using (var model = new Gpt(config, Backend))
        {
            model.Initialize(4);
            foreach (string name in (string[])["base", "other"])
            {
                Directory.CreateDirectory(folder[name]);
                ModelFolder.Save(folder[name], model, tokenizer);
                model.Initialize(5);
            }
        }

        float[] expected, text = [];
        int[] ids = new RandomValues(3).Integers(B * T, 0, 200);
        var (adapted, _) = ModelFolder.Load(
            folder["base"], Backend, lora: new LoraSettings(Rank, 6, targets) { Base = folder["base"] });
        using (adapted)
        {
            Randomize(adapted);
            Directory.CreateDirectory(folder["adapter"]);
            ModelFolder.Save(folder["adapter"], adapted, tokenizer);
            using var run = new ModelRun(adapted, B, T);
            expected = run.Forward(ids, ids);
        }

        using (var reader = SafetensorsReader.Open(folder["adapter/adapter_model.safetensors"]))
        {
            Assert.Equal(8, reader.Tensors.Count);
            Assert.Equal([Rank, 16L], reader["base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"].Shape);
            Assert.Equal([16L, Rank], reader["base_model.model.model.layers.1.mlp.down_proj.lora_B.weight"].Shape);
        }

        foreach (bool keep in (bool[])[true, false])
        {
            var (loaded, _) = ModelFolder.Load(folder["adapter"], Backend, keepAdapter: keep);
            using var owner = loaded;
            Assert.Equal(keep, loaded.Adapter is not null);
            using var run = new ModelRun(loaded, B, T);
            Compare.Close(
                $"log-probabilities, {keep}", [.. expected.Select(v => (double)v)], run.Forward(ids, ids),
                expected.Length, 1e-5, 1);
        }

        UserError.Expect(
            () => ModelFolder.Load(folder["adapter"], Backend, lora: new LoraSettings(2, 4, targets)),
            "these are adapters", "tinyllm merge");
        string json = File.ReadAllText(folder["adapter/adapter_config.json"]);
        File.WriteAllText(
            folder["adapter/adapter_config.json"],
            json.Replace(folder["base"], folder["other"], StringComparison.Ordinal));
        UserError.Expect(() => ModelFolder.Load(folder["adapter"], Backend), "another base", "base_model_name_or_path");
        File.WriteAllText(
            folder["adapter/adapter_config.json"],
            json.Replace(folder["base"], folder["missing"], StringComparison.Ordinal));
        UserError.Expect(
            () => ModelFolder.Load(folder["adapter"], Backend), folder["missing"], "base_model_name_or_path");
        foreach (var (old, changed, part) in ((string, string, string)[])
            [("\"LORA\"", "\"IA3\"", "peft_type"), ("\"none\"", "\"all\"", "bias"),
                ("\"r\": 3", "\"r\": \"x\"", "adapter_config.json"), ("{", "", "adapter_config.json"),
                ("\"r\": 3", "\"use_dora\": true, \"r\": 3", "use_dora")])
        {
            File.WriteAllText(
                folder["adapter/adapter_config.json"], json.Replace(old, changed, StringComparison.Ordinal));
            UserError.Expect(() => ModelFolder.Load(folder["adapter"], Backend), part);
        }
    }

    [Fact]
    public void Settings_OutOfRange_AreRefused()
    {
        UserError.Expect(() => new LoraSettings(0, 1, ["q_proj"]).Validate(Architecture.Qwen3), "--lora-rank 0");
        UserError.Expect(() => new LoraSettings(2, float.NaN, ["q_proj"]).Validate(Architecture.Qwen3), "--lora-alpha");
        UserError.Expect(() => new LoraSettings(2, 1, ["q_proj"], 1).Validate(Architecture.Qwen3), "--lora-dropout 1");
        UserError.Expect(
            () => new LoraSettings(2, 1, ["c_attn"]).Validate(Architecture.Qwen3), "--lora-targets c_attn", "q_proj");
        new LoraSettings(2, 1, ["c_proj"]).Validate(Architecture.Gpt2);
    }

    private bool OnCpu => Backend.Name == "cpu";

    private Gpt Model(Architecture architecture, string[]? targets, float dropout = 0)
    {
        var lora = targets is null ? null : new LoraSettings(Rank, 6, targets, dropout);
        var model = new Gpt(
            GptConfig.Create(
                architecture, layers, 2, 16, T, Vocabulary, architecture == Architecture.Gpt2 ? 2 : 1) with
            { Lora = lora },
            Backend);
        model.Initialize(4);
        return model;
    }

    private void Randomize(Gpt model)
    {
        var values = new RandomValues(6);
        foreach (var parameter in model.Trained.All)
            Backend.Write(parameter.Value, values.Floats(parameter.Shape.Count, scale: 0.2));
    }

    // The weights in the place of the adapters, computed in double precision.
    private Gpt Merged(Gpt adapted, Architecture architecture)
    {
        var merged = Model(architecture, null);
        var adapters = adapted.Adapter!.Parameters.All.ToDictionary(p => p.Name, p => ModelRun.Read(p.Value));
        foreach (var parameter in merged.Parameters.All.Where(p => p.Group == ParameterGroup.Matrix))
        {
            float[] weights = ModelRun.Read(parameter.Value);
            int inputs = parameter.Shape[1];
            foreach (var part in parameter.Parts)
            {
                string name = "base_model.model." + part.Name[..^".weight".Length];
                if (!adapters.TryGetValue(name + ".lora_A.weight", out float[]? a))
                    continue;
                float[] b = adapters[name + ".lora_B.weight"];
                for (int row = 0; row < part.Rows; row++)
                {
                    for (int i = 0; i < inputs; i++)
                    {
                        weights[(part.FirstRow + row) * inputs + i] += (float)Enumerable.Range(0, Rank)
                            .Sum(k => adapted.Adapter.Settings.Scale * (double)b[row * Rank + k] * a[k * inputs + i]);
                    }
                }
            }

            Backend.Write(parameter.Value, weights);
        }

        merged.UpdateWorking();
        return merged;
    }

    private static float[] Gradient(Gpt model, string name) =>
        ModelRun.Read(model.Adapter!.Parameters.All.Single(p => p.Name == name).Gradient!.Value);
}
