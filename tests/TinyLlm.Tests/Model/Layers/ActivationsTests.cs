using TinyLlm.Kernels;
using TinyLlm.Model;
using Xunit;

namespace TinyLlm.Tests.Model;

/// <summary>The memory plan of training, with recomputation and without; nothing of it is taken here.</summary>
public sealed class ActivationsTests
{
    private const int B = 2, T = 40;

    public static TheoryData<Architecture> Architectures => [Architecture.Gpt2, Architecture.Llama, Architecture.Qwen3];

    public static TheoryData<string, Architecture> Plans
    {
        get
        {
            var plans = new TheoryData<string, Architecture>();
            foreach (string device in (string[])["cpu", "simulated"])
                foreach (var architecture in (Architecture[])[Architecture.Gpt2, Architecture.Llama,
                    Architecture.Qwen3])
                    plans.Add(device, architecture);
            return plans;
        }
    }

    [Theory]
    [MemberData(nameof(Plans))]
    public void Recomputation_KeepsOfEachBlockItsInputAlone(string device, Architecture architecture)
    {
        long residual = B * T * 32 * sizeof(float);
        long whole = Bytes(device, architecture, 12), block = whole - Bytes(device, architecture, 11) - residual;

        long recomputed = Bytes(device, architecture, 12, recompute: true);

        // The one set of recomputation has room for both norms' outputs, where shared outputs have it for one.
        long second = device == "cpu" ? residual : 0;
        Assert.Equal(residual, recomputed - Bytes(device, architecture, 11, recompute: true));
        Assert.Equal(whole - 11 * block + second, recomputed);
        Assert.Equal(Bytes(device, architecture, 1) + second, Bytes(device, architecture, 1, recompute: true));
    }

    /// <summary>
    /// In sizes of (B, T, C), GPT-2 124M has 16 for each of its 12 blocks, of which 1 is the input and 6 are outputs of
    /// norms and GELU: on the CPU all blocks share 5 for these. Inputs, outputs and gradients take 8 besides.
    /// </summary>
    [Theory]
    [InlineData("cpu", 12 * 10 + 5)]
    [InlineData("simulated", 12 * 16)]
    public void Recomputation_ShrinksTheBasePreset(string device, int kept)
    {
        var config = GptConfig.Create(Architecture.Gpt2, 12, 12, 768, 1024, 50257);
        double expected = (kept + 8) / (12 * 1 + 15 + 8.0);

        double factor = Bytes(device, config, 4, recompute: false) / (double)Bytes(device, config, 4, recompute: true);

        Assert.InRange(factor, 0.98 * expected, 1.02 * expected);
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void MaxRows_CanBePlanned_AndNotMore(Architecture architecture)
    {
        var config = Config(architecture, layers: 1);
        int most = Activations.MaxRows(config, T);

        Assert.InRange(Bytes("cpu", config, most, recompute: false), int.MaxValue, long.MaxValue);
        Assert.Contains(
            "more than a tensor can have",
            Assert.Throws<TinyLlmException>(() => Bytes("cpu", config, most + 1, recompute: false)).Message,
            StringComparison.Ordinal);
    }

    private static GptConfig Config(Architecture architecture, int layers) =>
        GptConfig.Create(architecture, layers, 4, 32, T, 150, architecture == Architecture.Gpt2 ? 4 : 2, 0.1f);

    private static long Bytes(string device, Architecture architecture, int layers, bool recompute = false) =>
        Bytes(device, Config(architecture, layers), B, recompute);

    private static long Bytes(string device, GptConfig config, int b, bool recompute)
    {
        using var backend = Backend.Create(device, 1);
        using var arena = new Arena(backend, "test");
        _ = new Activations(arena, config, b, config.Context, training: true, recompute);
        return arena.Bytes;
    }
}
