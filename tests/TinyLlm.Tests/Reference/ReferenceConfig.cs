using TinyLlm.Tests.Support;

namespace TinyLlm.Tests.Reference;

internal enum ReferenceArchitecture
{
    Gpt2,
    Llama,
    Qwen3,
}

/// <summary>
/// Sizes of a <see cref="ReferenceModel"/>, and the names and shapes of its parameters as Hugging Face's files have
/// them.
/// </summary>
internal sealed record ReferenceConfig(
    ReferenceArchitecture Architecture, int Layers, int Heads, int KvHeads, int HeadSize, int Width, int MlpWidth,
    int Context, int Vocabulary)
{
    public double RopeBase { get; init; } = 10000;

    /// <summary>What RoPE's positions are divided by.</summary>
    public double RopeDivisor { get; init; } = 1;

    public double NormEpsilon { get; init; } = 1e-6;

    public bool TiedHead { get; init; } = true;

    public bool IsGpt2 => Architecture == ReferenceArchitecture.Gpt2;

    public bool HasHeadNorms => Architecture == ReferenceArchitecture.Qwen3;

    public string TokenTable => IsGpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight";

    public string Head => TiedHead ? TokenTable : "lm_head.weight";

    public string FinalNorm => IsGpt2 ? "transformer.ln_f" : "model.norm";

    public string Layer(int layer) => IsGpt2 ? $"transformer.h.{layer}." : $"model.layers.{layer}.";

    /// <summary>
    /// Names and shapes: gpt2's linear weights are Conv1D, (in, out) with a bias; the others' are (out, in) without.
    /// </summary>
    public IEnumerable<(string Name, int[] Shape)> Parameters()
    {
        yield return (TokenTable, [Vocabulary, Width]);
        if (IsGpt2)
            yield return ("transformer.wpe.weight", [Context, Width]);
        for (int layer = 0; layer < Layers; layer++)
            foreach (var (name, shape) in IsGpt2 ? Gpt2Layer() : LlamaLayer())
                yield return (Layer(layer) + name, shape);
        yield return (FinalNorm + ".weight", [Width]);
        if (IsGpt2)
            yield return (FinalNorm + ".bias", [Width]);
        if (!TiedHead)
            yield return ("lm_head.weight", [Vocabulary, Width]);
    }

    /// <summary>
    /// Random parameters, large enough that every part of the model matters; norm weights around one.
    /// </summary>
    public Dictionary<string, double[]> RandomParameters(int seed)
    {
        var values = new RandomValues(seed);
        return Parameters().ToDictionary(p => p.Name, p =>
        {
            bool normWeight = p.Shape.Length == 1 && p.Name.EndsWith("weight", StringComparison.Ordinal);
            return values.Gaussians(
                p.Shape.Aggregate(1, (a, b) => a * b), scale: p.Shape.Length == 1 ? 0.3 : 0.4, mean: normWeight ? 1
                : 0);
        });
    }

    private IEnumerable<(string Name, int[] Shape)> Gpt2Layer() =>
    [
        ("ln_1.weight", [Width]), ("ln_1.bias", [Width]),
        ("attn.c_attn.weight", [Width, 3 * Width]), ("attn.c_attn.bias", [3 * Width]),
        ("attn.c_proj.weight", [Width, Width]), ("attn.c_proj.bias", [Width]),
        ("ln_2.weight", [Width]), ("ln_2.bias", [Width]),
        ("mlp.c_fc.weight", [Width, MlpWidth]), ("mlp.c_fc.bias", [MlpWidth]),
        ("mlp.c_proj.weight", [MlpWidth, Width]), ("mlp.c_proj.bias", [Width]),
    ];

    private IEnumerable<(string Name, int[] Shape)> LlamaLayer() =>
    [
        ("input_layernorm.weight", [Width]),
        ("self_attn.q_proj.weight", [Heads * HeadSize, Width]),
        ("self_attn.k_proj.weight", [KvHeads * HeadSize, Width]),
        ("self_attn.v_proj.weight", [KvHeads * HeadSize, Width]),
        ("self_attn.o_proj.weight", [Width, Heads * HeadSize]),
        .. HasHeadNorms
        ? ((string, int[])[])[("self_attn.q_norm.weight", [HeadSize]), ("self_attn.k_norm.weight", [HeadSize])] : [],
        ("post_attention_layernorm.weight", [Width]),
        ("mlp.gate_proj.weight", [MlpWidth, Width]),
        ("mlp.up_proj.weight", [MlpWidth, Width]),
        ("mlp.down_proj.weight", [Width, MlpWidth]),
    ];
}
