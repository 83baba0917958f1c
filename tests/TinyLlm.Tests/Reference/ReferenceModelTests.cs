using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Reference;

/// <summary>
/// The reference model against central differences of its own loss, and against what must hold of any causal language
/// model.
/// </summary>
public sealed class ReferenceModelTests
{
    private const int B = 2, T = 5;

    public static TheoryData<string> Models =>
        new("gpt2", "llama", "llama untied", "llama grouped", "qwen3", "qwen3 untied", "qwen3 grouped, wide heads");

    [Theory]
    [MemberData(nameof(Models))]
    public void Gradients_MatchCentralDifferences(string name) => CheckGradients(name, null, null, null);

    [Theory]
    [InlineData("gpt2")]
    [InlineData("qwen3 grouped, wide heads")]
    public void Gradients_WithPackedDocumentsAndDropout_MatchCentralDifferences(string name) => CheckGradients(name,
        new[,] { { 0, 1, 2, 0, 1 }, { 0, 0, 1, 2, 3 } }, new[,] { { 0, 0, 0, 3, 3 }, { 0, 1, 1, 1, 1 } },
        (site, count) => ReferencePhilox.DropoutMask(count, 0.25f, 1, 2, 3, site));

    [Theory]
    [MemberData(nameof(Models))]
    public void Logits_DependOnEarlierTokensAlone(string name)
    {
        var config = Config(name);
        var model = new ReferenceModel(config, config.RandomParameters(1));
        int[,] tokens = Tokens(config, 1), changed = (int[,])tokens.Clone();
        changed[0, 3] = (changed[0, 3] + 1) % config.Vocabulary;
        double[] before = model.Logits(tokens), after = model.Logits(changed);
        for (int i = 0; i < before.Length; i++)
            Assert.Equal(i / config.Vocabulary is 3 or 4, before[i] != after[i]);
    }

    /// <summary>A document in the middle of a row gives what it gives alone.</summary>
    [Theory]
    [MemberData(nameof(Models))]
    public void PackedDocument_GivesWhatItGivesAlone(string name)
    {
        var config = Config(name);
        var model = new ReferenceModel(config, config.RandomParameters(1));
        var tokens = Tokens(config, 1);
        var packed = model.Logits(
            tokens, new[,] { { 0, 1, 0, 1, 2 }, { 0, 1, 2, 3, 4 } }, new[,] { { 0, 0, 2, 2, 2 }, { 0, 0, 0, 0, 0 } });
        var alone = model.Logits(new[,] { { tokens[0, 2], tokens[0, 3], tokens[0, 4] } });
        for (int i = 0; i < alone.Length; i++)
            Assert.Equal(alone[i], packed[2 * config.Vocabulary + i], 1e-12);
    }

    [Fact]
    public void Loss_OfTheTokenThatIsNotScoredIsZero()
    {
        var config = Config("qwen3");
        var model = new ReferenceModel(config, config.RandomParameters(1));
        var (loss, gradients) = model.LossAndGradients(
            Tokens(config, 1), new[,] { { -1, -1, -1, -1, -1 }, { -1, -1, -1, -1, -1 } }, Weights(1));
        Assert.Equal(0, loss);
        Assert.All(gradients.Values.SelectMany(g => g), g => Assert.Equal(0, g));
    }

    private static void CheckGradients(
        string name, int[,]? positions, int[,]? starts, Func<int, long, double[]>? dropout)
    {
        var config = Config(name);
        var parameters = config.RandomParameters(2);
        var model = new ReferenceModel(config, parameters) { DropoutMask = dropout };
        int[,] tokens = Tokens(config, 3), targets = Tokens(config, 4);
        var weights = Weights(5);
        targets[1, 2] = -1;
        var (_, gradients) = model.LossAndGradients(tokens, targets, weights, positions, starts);

        Assert.Equal(config.Parameters().Select(p => p.Name).Order(), gradients.Keys.Order());
        foreach (var (parameter, gradient) in gradients)
        {
            GradientCheck.Check($"{name}: {parameter}", parameters[parameter], gradient,
                () => model.LossAndGradients(tokens, targets, weights, positions, starts).Loss);
        }
    }

    private static ReferenceConfig Config(string name) => name switch
    {
        "gpt2" => new(
            ReferenceArchitecture.Gpt2, Layers: 2, Heads: 2, KvHeads: 2, HeadSize: 3, Width: 6, MlpWidth: 8, Context: 7,
            Vocabulary: 9)
        { NormEpsilon = 1e-5 },
        "llama" => new(ReferenceArchitecture.Llama, 2, 2, 2, 4, 8, 6, 7, 9),
        "llama untied" => new(ReferenceArchitecture.Llama, 1, 2, 2, 4, 8, 6, 7, 9) { TiedHead = false },
        "llama grouped" => new(ReferenceArchitecture.Llama, 1, 4, 2, 2, 8, 6, 7, 9) { RopeBase = 100 },
        "qwen3" => new(ReferenceArchitecture.Qwen3, 2, 2, 2, 4, 8, 6, 7, 9),
        "qwen3 untied" => new(ReferenceArchitecture.Qwen3, 1, 2, 2, 4, 8, 6, 7, 9) { TiedHead = false },
        "qwen3 grouped, wide heads" => new(ReferenceArchitecture.Qwen3, 2, 4, 1, 4, 6, 10, 7, 9) { TiedHead = false },
        _ => throw new ArgumentException(name),
    };

    private static int[,] Tokens(ReferenceConfig config, int seed)
    {
        var ids = new RandomValues(seed).Integers(B * T, 0, config.Vocabulary);
        var tokens = new int[B, T];
        Buffer.BlockCopy(ids, 0, tokens, 0, ids.Length * sizeof(int));
        return tokens;
    }

    private static double[,] Weights(int seed)
    {
        var values = new RandomValues(seed).Gaussians(B * T);
        var weights = new double[B, T];
        Buffer.BlockCopy(values, 0, weights, 0, values.Length * sizeof(double));
        return weights;
    }
}
