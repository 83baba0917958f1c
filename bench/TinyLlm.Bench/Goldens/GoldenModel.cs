using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace TinyLlm.Bench.Goldens;

/// <summary>
/// One parameter in the layout that its file has. It is the leaf of the graph, so its gradient has that layout too.
/// </summary>
internal sealed record GoldenParameter(string Name, Tensor Value);

/// <summary>
/// A tiny language model written from the architecture's definition in plain tensor operations, in double precision.
/// Its weights are numbers that float32 holds exactly, so the file loses nothing of them.
/// </summary>
internal abstract class GoldenModel
{
    // Small, and no two equal where a mix-up could hide; the vocabulary is odd on purpose.
    public const int Layers = 2, Heads = 4, HeadSize = 8, Width = Heads * HeadSize, Context = 16, Vocabulary = 61;

    private readonly GoldenRandom random;
    private readonly List<GoldenParameter> parameters = [];

    protected GoldenModel(GoldenRandom random) => this.random = random;

    /// <summary>Name of the architecture, as <c>--arch</c> takes it.</summary>
    public abstract string Architecture { get; }

    /// <summary>All parameters, in the order of the model. A tied head is not one.</summary>
    public List<GoldenParameter> Parameters => parameters;

    /// <summary>Token ids (B, T) to logits (B, T, V).</summary>
    public abstract Tensor Forward(Tensor tokens);

    /// <summary>The model's <c>config.json</c>, as the transformers library writes it.</summary>
    public abstract JsonObject Config();

    public static GoldenModel Create(string architecture, GoldenRandom random) => architecture switch
    {
        "gpt2" => new Gpt2Golden(random),
        "llama" => new LlamaGolden(random, qkNorm: false),
        "qwen3" => new LlamaGolden(random, qkNorm: true),
        _ => throw new ArgumentException($"Unknown architecture {architecture}."),
    };

    /// <summary>Mean cross-entropy in nats: the mean of -log softmax(logits)[target]. The targets are (B, T).</summary>
    public static Tensor Loss(Tensor logits, Tensor targets) =>
        -nn.functional.log_softmax(logits, -1).gather(-1, targets.unsqueeze(-1)).mean();

    /// <summary>
    /// A number of <c>config.json</c> written as Python writes it: 10000.0 and 1e-06, not 10000 and 1E-06.
    /// </summary>
    protected static JsonNode Real(string text) => JsonNode.Parse(text)!;

    /// <summary>A matrix with elements N(0, 0.1): wide enough that no gradient drowns in rounding.</summary>
    protected Tensor AddMatrix(string name, params long[] shape) => Add(name, 0, shape);

    /// <summary>A norm's gain with elements 1 + N(0, 0.1).</summary>
    protected Tensor AddGain(string name, long size) => Add(name, 1, [size]);

    /// <summary>A bias with elements N(0, 0.1).</summary>
    protected Tensor AddBias(string name, long size) => Add(name, 0, [size]);

    /// <summary>
    /// softmax(q k^T / sqrt(D)) v, where a position sees itself and those before. q is (B, T, H, D), k and v (B, T,
    /// Hkv, D); query head h reads key-value head h / (H / Hkv). Returns (B, T, H D).
    /// </summary>
    protected static Tensor Attention(Tensor q, Tensor k, Tensor v)
    {
        long b = q.shape[0], t = q.shape[1], h = q.shape[2], d = q.shape[3], group = h / k.shape[2];
        q = q.transpose(1, 2);
        k = k.repeat_interleave(group, dim: 2).transpose(1, 2);
        v = v.repeat_interleave(group, dim: 2).transpose(1, 2);
        var future = ones(t, t, dtype: ScalarType.Bool).triu(1);
        var scores = (q.matmul(k.transpose(2, 3)) / Math.Sqrt(d)).masked_fill(future, double.NegativeInfinity);
        return nn.functional.softmax(scores, -1).matmul(v).transpose(1, 2).reshape(b, t, h * d);
    }

    private Tensor Add(string name, double mean, long[] shape)
    {
        double[] values = new double[shape.Aggregate((a, b) => a * b)];
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(mean + 0.1 * random.Normal());

        // The clone lies where libtorch aligns it. The array's memory does not, and sums then end in other last bits
        // from run to run.
        var value = new TorchSharp.Modules.Parameter(tensor(values, shape, dtype: ScalarType.Float64).clone());
        parameters.Add(new GoldenParameter(name, value));
        return value;
    }
}
