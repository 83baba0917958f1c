using TinyLlm.Kernels;
using TinyLlm.Model;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>The memory plan of training, with recomputation and without; nothing of it is taken here.</summary>
public sealed class ActivationsTests : IDisposable
{
    private const int B = 2, T = 40;

    private readonly Backend backend = Backend.Create("cpu", 1);

    public static TheoryData<Architecture> Architectures => [Architecture.Gpt2, Architecture.Llama, Architecture.Qwen3];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Recomputation_KeepsOfEachBlockItsInputAlone(Architecture architecture)
    {
        long residual = B * T * 32 * sizeof(float);
        long whole = Bytes(architecture, 12), block = whole - Bytes(architecture, 11) - residual;

        long recomputed = Bytes(architecture, 12, recompute: true);

        Assert.Equal(residual, recomputed - Bytes(architecture, 11, recompute: true));
        Assert.Equal(whole - 11 * block, recomputed);
        Assert.Equal(Bytes(architecture, 1), Bytes(architecture, 1, recompute: true));
    }

    /// <summary>
    /// In sizes of (B, T, C), GPT-2 124M keeps 16 for each of its 12 blocks, of which 1 is the input; inputs, outputs and gradients take 13 besides.
    /// </summary>
    [Fact]
    public void Recomputation_ShrinksTheBasePreset()
    {
        var config = GptConfig.Create(Architecture.Gpt2, 12, 12, 768, 1024, 50257);
        const double expected = (12 * 16 + 13) / (12 * 1 + 15 + 13.0);

        double factor = Bytes(config, 4, recompute: false) / (double)Bytes(config, 4, recompute: true);

        Assert.InRange(factor, 0.98 * expected, 1.02 * expected);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void MaxRows_CanBePlanned_AndNotMore(Architecture architecture)
    {
        var config = Config(architecture, layers: 1);
        int most = Activations.MaxRows(config, T);

        Assert.InRange(Bytes(config, most, recompute: false), int.MaxValue, long.MaxValue);
        Assert.Contains("more than a tensor can have", Assert.Throws<TinyLlmException>(() => Bytes(config, most + 1, recompute: false)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => backend.Dispose();

    private static GptConfig Config(Architecture architecture, int layers) =>
        GptConfig.Create(architecture, layers, 4, 32, T, 150, architecture == Architecture.Gpt2 ? 4 : 2, 0.1f);

    private long Bytes(Architecture architecture, int layers, bool recompute = false) => Bytes(Config(architecture, layers), B, recompute);

    private long Bytes(GptConfig config, int b, bool recompute)
    {
        using var arena = new Arena(backend, "test");
        _ = new Activations(arena, config, b, config.Context, training: true, recompute);
        return arena.Bytes;
    }
}
