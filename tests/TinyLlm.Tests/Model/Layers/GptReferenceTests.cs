using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

public sealed class GptReferenceTestsOnCpu256 : GptReferenceTests<Cpu256Threads3>;

public sealed class GptReferenceTestsOnCpuScalar : GptReferenceTests<CpuScalar>;

/// <summary>The whole model, forward and backward, against the double-precision one on the same weights.</summary>
public abstract class GptReferenceTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const int B = 2, T = 70, Vocabulary = 150, Step = 6, MicroStep = 1;
    private const ulong Seed = 0x1234567890;
    private const double Tolerance = 3e-5;

    [Theory]
    [InlineData("gpt2", 0f)]
    [InlineData("gpt2", 0.1f)]
    [InlineData("gpt2 untied", 0f)]
    [InlineData("llama", 0f)]
    [InlineData("llama, linear scaling", 0f)]
    [InlineData("llama untied, grouped", 0f)]
    [InlineData("qwen3", 0f)]
    [InlineData("qwen3 grouped", 0.1f)]
    [InlineData("qwen3 untied, wide heads", 0f)]
    public void ForwardAndBackward_MatchReference(string name, float dropout)
    {
        var config = Config(name);
        using var model = new Gpt(Configure(config, dropout), Backend);
        var parameters = Rounded(config.RandomParameters(1));
        Load(model, parameters);
        using var run = new ModelRun(model, B, T);
        run.State.Send(Seed, Step, MicroStep, 0, 0.9f, 0.99f);
        int[,] tokens = Tokens(0), targets = Tokens(-20);
        var weights = new RandomValues(3).Floats(B * T, scale: 0.01);
        var tokenWeights = new double[B, T];
        for (int i = 0; i < weights.Length; i++)
            tokenWeights[i / T, i % T] = weights[i];
        var reference = new ReferenceModel(
            config, parameters)
        {
            DropoutMask = dropout == 0 ? null : (site, count) =>
                ReferencePhilox.DropoutMask(count, dropout, Seed, Step, MicroStep, site)
        };
        var (loss, gradients) = reference.LossAndGradients(tokens, targets, tokenWeights);

        var logProbabilities = run.Forward([.. tokens.Cast<int>()], [.. targets.Cast<int>()], training: dropout > 0);
        Assert.Equal(
            loss, -logProbabilities.Zip(weights, (p, w) => (double)p * w).Sum(),
            Tolerance * weights.Sum(w => Math.Abs(w * 10)));
        if (dropout == 0)
            Compare.Close("logits", reference.Logits(tokens), run.Logits(), (B, T, Vocabulary), Tolerance, 1);

        // Twice, because the gradients of parameters accumulate.
        Backend.Fill(model.AllGradients, 0);
        run.Backward(weights, training: dropout > 0);
        run.Backward(weights, training: dropout > 0);
        var actual = ModelRun.InFileLayout(model, p => p.Gradient!.Value);
        Assert.Equal(gradients.Keys.Order(), actual.Keys.Order());
        foreach (var (parameter, gradient) in gradients)
        {
            Compare.Close(
                $"{name}: gradient of {parameter}", Array.ConvertAll(gradient, g => 2 * g), actual[parameter],
                actual[parameter].Length, Tolerance, 1);
        }

        Assert.All(model.Parameters.All,
            p => Assert.All(ModelRun.Read(p.Gradient!.Value).Skip((int)p.RealCount), g => Assert.Equal(0, g)));
    }

    private static ReferenceConfig Config(string name) => name switch
    {
        "gpt2" => new(
            ReferenceArchitecture.Gpt2, Layers: 2, Heads: 3, KvHeads: 3, HeadSize: 8, Width: 24, MlpWidth: 96,
            Context: 80, Vocabulary)
        { NormEpsilon = 1e-5f },
        "gpt2 untied" => Config("gpt2") with { TiedHead = false },
        "llama, linear scaling" => Config("llama") with { RopeDivisor = 2.5 },
        "llama" => new(ReferenceArchitecture.Llama, 2, 2, 2, 16, 32, 40, 80, Vocabulary) { NormEpsilon = 1e-6f },
        "llama untied, grouped" =>
            new(ReferenceArchitecture.Llama, 1, 4, 2, 10, 40, 33, 80, Vocabulary)
            {
                NormEpsilon = 1e-6f,
                TiedHead = false,
                RopeBase = 500
            },
        "qwen3" => new(ReferenceArchitecture.Qwen3, 2, 2, 2, 16, 32, 40, 80, Vocabulary) { NormEpsilon = 1e-6f },
        "qwen3 grouped" => new(ReferenceArchitecture.Qwen3, 2, 4, 2, 8, 32, 40, 80, Vocabulary) { NormEpsilon = 1e-6f },
        "qwen3 untied, wide heads" =>
        new(ReferenceArchitecture.Qwen3, 1, 4, 1, 16, 24, 40, 80, Vocabulary) { NormEpsilon = 1e-6f, TiedHead = false },
        _ => throw new ArgumentException(name),
    };

    private static GptConfig Configure(ReferenceConfig config, float dropout) => new()
    {
        Architecture = Enum.Parse<Architecture>(config.Architecture.ToString()),
        Layers = config.Layers,
        Heads = config.Heads,
        KvHeads = config.KvHeads,
        HeadSize = config.HeadSize,
        Width = config.Width,
        MlpWidth = config.MlpWidth,
        Context = config.Context,
        VocabularySize = config.Vocabulary,
        RopeBase = config.RopeBase,
        RopeScaling = config.RopeDivisor == 1 ? null : new RopeScaling(RopeScalingKind.Linear, config.RopeDivisor),
        NormEpsilon = (float)config.NormEpsilon,
        TiedHead = config.TiedHead,
        Dropout = dropout,
    };

    private static Dictionary<string, double[]> Rounded(Dictionary<string, double[]> parameters) =>
        parameters.ToDictionary(p => p.Key, p => Array.ConvertAll(p.Value, v => (double)(float)v));

    private void Load(Gpt model, Dictionary<string, double[]> parameters)
    {
        foreach (var parameter in model.Parameters.All)
        {
            int columns = (int)(parameter.Shape.Count / parameter.Shape[0]);
            var values = new float[parameter.Shape.Count];
            foreach (var part in parameter.Parts)
                for (int i = 0; i < part.Rows; i++)
                    for (int j = 0; j < columns; j++)
                    {
                        values[(part.FirstRow + i) * columns + j] =
                            (float)parameters[part.Name][part.Transposed ? j * part.Rows + i : i * columns + j];
                    }

            Backend.Write(parameter.Value, values);
        }
    }

    // Below zero: targets that are not scored.
    private static int[,] Tokens(int smallest)
    {
        var ids = new RandomValues(smallest).Integers(B * T, smallest, Vocabulary);
        var tokens = new int[B, T];
        Buffer.BlockCopy(ids, 0, tokens, 0, ids.Length * sizeof(int));
        return tokens;
    }
}
