using TinyLlm.Bench.Timing;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.GpuBench;

/// <summary>One product of a linear layer: x (M, K), weight (N, K), y (M, N).</summary>
/// <param name="Model">The model whose layer it is.</param>
/// <param name="Precision">fp32 or bf16.</param>
internal sealed record MatMulShape(string Model, string Layer, string Precision, int M, int N, int K)
{
    public double Flops() => 2.0 * M * N * K;
}

/// <summary>Causal attention of a training batch.</summary>
/// <param name="Precision">fp32 or bf16.</param>
internal sealed record AttentionShape(string Precision, int B, int T, int H, int Hkv, int D)
{
    /// <summary>Of the forward pass: q k^T and p v, of which the causal mask leaves half.</summary>
    public double ForwardFlops() => 2.0 * B * H * D * T * T;

    /// <summary>
    /// Of the backward pass: five products instead of two, the scores among them, which are computed anew.
    /// </summary>
    public double BackwardFlops() => 2.5 * ForwardFlops();
}

/// <summary>A model in training.</summary>
/// <param name="Name">The preset and the batch.</param>
/// <param name="Vocabulary">Rows of the token table in memory: the padded vocabulary, from which tokens are
/// drawn.</param>
/// <param name="Steps">Steps that are timed.</param>
/// <param name="WarmUp">Steps before them.</param>
internal sealed record TrainShape(
    string Name, string Architecture, int Layers, int Heads, int Width, int MlpWidth, int Context, int Batch,
    int Vocabulary, int Steps, int WarmUp)
{
    public int Tokens => Batch * Context;
}

/// <summary>What is timed: ours by the commands, the peers' by way of the command <c>shapes</c>.</summary>
internal static class Sizes
{
    public const string Bf16 = "bf16", Fp32 = "fp32";

    // The attention shapes and medium's products have as many tokens as base's smaller batch.
    private const int Tokens = 16384;

    private static readonly Architecture[] architectures = [Architecture.Gpt2, Architecture.Qwen3];
    private static readonly ModelSize quickSize = new("quick", 1, 2, 32, 16, 2, 50);

    /// <summary>
    /// The products of the presets' layers, each shape once, and two squares; some of them in single precision too.
    /// </summary>
    public static IReadOnlyList<MatMulShape> Products(bool quick)
    {
        var models = Models(quick)
            .Append(quick ? quickSize : new ModelSize("medium", 24, 16, 1024, 1024, Tokens / 1024, 50257));
        int[] squares = quick ? [48] : [4096, 8192];
        var all = models.SelectMany(Layers)
            .Concat(squares.Select(n => new MatMulShape("square", $"{n}", Bf16, n, n, n)))
            .DistinctBy(s => (s.M, s.N, s.K))
            .ToList();
        var (layer, square) = (all.Find(s => s.Model is "base" or "quick")!, all.Find(s => s.Model == "square")!);
        return [.. all, layer with { Precision = Fp32 }, square with { Precision = Fp32 }];
    }

    /// <summary>The presets' heads at several lengths, and grouped queries.</summary>
    public static IReadOnlyList<AttentionShape> Attention(bool quick)
    {
        if (quick)
            return [new(Bf16, 2, 24, 2, 1, 16), new(Fp32, 2, 24, 2, 2, 16)];
        return
        [
            .. from head in (int[])[32, 64]
               from t in (int[])[256, 1024, 2048]
               select new AttentionShape(Bf16, Tokens / t, t, 12, 12, head),
            new AttentionShape(Bf16, Tokens / 1024, 1024, 12, 4, 64),
        ];
    }

    /// <summary>The presets' models, with the batches that they are trained with.</summary>
    /// <param name="steps">Steps to time; 0 for as many as take seconds.</param>
    public static IReadOnlyList<TrainShape> Training(bool quick, int steps = 0) =>
        [.. from model in Models(quick)
            from architecture in architectures
            let config = Config(model, architecture)
            select new TrainShape(
                model.Name, architecture.ToString().ToLowerInvariant(), model.Layers, model.Heads, model.Width,
                config.MlpWidth, model.Context, model.BatchSize,
                config.PaddedVocabulary, steps > 0 ? steps : quick ? 2
                : Math.Max(25, (1 << 20) / model.Tokens), quick ? 1 : 10)];

    private static ModelSize[] Models(bool quick) => quick
        ? [quickSize]
        :
        [
            ModelSize.Get("tiny") with { BatchSize = 64 },
            ModelSize.Get("small") with { BatchSize = 64 },
            Gpt2(16),
            Gpt2(32),
        ];

    // A card takes GPT-2's whole context.
    private static ModelSize Gpt2(int batchSize) =>
        ModelSize.Get("base") with { Context = 1024, BatchSize = batchSize };

    private static GptConfig Config(ModelSize size, Architecture architecture) =>
        GptConfig.Create(architecture, size.Layers, size.Heads, size.Width, size.Context, size.Vocabulary);

    private static IEnumerable<MatMulShape> Layers(ModelSize size)
    {
        var (gpt2, qwen3) = (Config(size, Architecture.Gpt2), Config(size, Architecture.Qwen3));
        int c = size.Width;
        (string Name, int N, int K)[] layers =
        [
            ("qkv", 3 * c, c), ("out", c, c), ("up", gpt2.MlpWidth, c), ("down", c, gpt2.MlpWidth),
            ("gate up", 2 * qwen3.MlpWidth, c), ("gated down", c, qwen3.MlpWidth), ("head", gpt2.PaddedVocabulary, c),
        ];
        return layers.Select(layer => new MatMulShape(size.Name, layer.Name, Bf16, size.Tokens, layer.N, layer.K));
    }

    /// <summary>The element type of a precision.</summary>
    public static DType TypeOf(string precision) => precision == Bf16 ? DType.BF16 : DType.F32;
}
