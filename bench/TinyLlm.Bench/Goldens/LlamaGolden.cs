using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace TinyLlm.Bench.Goldens;

/// <summary>
/// Llama: RMSNorm, rotary positions, grouped-query attention, SwiGLU, no biases, a head of its own. With <c>qkNorm</c>
/// Qwen3: each head's queries and keys are normalised before the rotation, and the head is tied.
/// </summary>
/// <remarks>
/// H. Touvron et al., "LLaMA: Open and Efficient Foundation Language Models" (2023); A. Yang et al., "Qwen3 Technical
/// Report" (2025).
/// </remarks>
internal sealed class LlamaGolden : GoldenModel
{
    private const int KvHeads = 2, Mlp = 88;
    private const double Epsilon = 1e-6, RopeBase = 10000;

    private readonly bool qkNorm;
    private readonly Tensor embedding, finalNorm, head;
    private readonly Block[] blocks = new Block[Layers];

    private sealed record Block(Tensor Norm1, Tensor Q, Tensor K, Tensor V, Tensor? QNorm, Tensor? KNorm, Tensor Out,
        Tensor Norm2, Tensor Gate, Tensor Up, Tensor Down);

    public LlamaGolden(GoldenRandom random, bool qkNorm) : base(random)
    {
        this.qkNorm = qkNorm;
        embedding = AddMatrix("model.embed_tokens.weight", Vocabulary, Width);
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"model.layers.{i}", attention = $"{layer}.self_attn", mlp = $"{layer}.mlp";
            blocks[i] = new Block(
                AddGain($"{layer}.input_layernorm.weight", Width),
                AddMatrix($"{attention}.q_proj.weight", Heads * HeadSize, Width),
                AddMatrix($"{attention}.k_proj.weight", KvHeads * HeadSize, Width),
                AddMatrix($"{attention}.v_proj.weight", KvHeads * HeadSize, Width),
                qkNorm ? AddGain($"{attention}.q_norm.weight", HeadSize) : null,
                qkNorm ? AddGain($"{attention}.k_norm.weight", HeadSize) : null,
                AddMatrix($"{attention}.o_proj.weight", Width, Heads * HeadSize),
                AddGain($"{layer}.post_attention_layernorm.weight", Width),
                AddMatrix($"{mlp}.gate_proj.weight", Mlp, Width),
                AddMatrix($"{mlp}.up_proj.weight", Mlp, Width),
                AddMatrix($"{mlp}.down_proj.weight", Width, Mlp));
        }

        finalNorm = AddGain("model.norm.weight", Width);
        head = qkNorm ? embedding : AddMatrix("lm_head.weight", Vocabulary, Width);
    }

    public override string Architecture => qkNorm ? "qwen3" : "llama";

    public override Tensor Forward(Tensor tokens)
    {
        long b = tokens.shape[0], t = tokens.shape[1];
        var x = embedding[tokens]; // (B, T, C)
        foreach (var block in blocks)
        {
            var normed = RmsNorm(x, block.Norm1);
            var q = RmsNorm(normed.matmul(block.Q.t()).view(b, t, Heads, HeadSize), block.QNorm);
            var k = RmsNorm(normed.matmul(block.K.t()).view(b, t, KvHeads, HeadSize), block.KNorm);
            var v = normed.matmul(block.V.t()).view(b, t, KvHeads, HeadSize);
            x = x + Attention(Rope(q), Rope(k), v).matmul(block.Out.t());

            normed = RmsNorm(x, block.Norm2);
            var gate = normed.matmul(block.Gate.t());
            x = x + (gate * gate.sigmoid() * normed.matmul(block.Up.t())).matmul(block.Down.t());
        }

        return RmsNorm(x, finalNorm).matmul(head.t());
    }

    public override JsonObject Config()
    {
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray(qkNorm ? "Qwen3ForCausalLM" : "LlamaForCausalLM"),
            ["attention_bias"] = false,
            ["attention_dropout"] = Real("0.0"),
            ["bos_token_id"] = 0,
            ["eos_token_id"] = 0,
            ["head_dim"] = HeadSize,
            ["hidden_act"] = "silu",
            ["hidden_size"] = Width,
            ["initializer_range"] = Real("0.02"),
            ["intermediate_size"] = Mlp,
            ["max_position_embeddings"] = Context,
            ["model_type"] = Architecture,
            ["num_attention_heads"] = Heads,
            ["num_hidden_layers"] = Layers,
            ["num_key_value_heads"] = KvHeads,
            ["rms_norm_eps"] = Real("1e-06"),
            ["rope_scaling"] = null,
            ["rope_theta"] = Real("10000.0"),
            ["tie_word_embeddings"] = qkNorm,
            ["torch_dtype"] = "float32",
            ["use_cache"] = true,
            ["vocab_size"] = Vocabulary,
        };
        if (qkNorm)
        {
            config["sliding_window"] = null;
            config["use_sliding_window"] = false;
        }
        else
        {
            config["mlp_bias"] = false;
        }

        return config;
    }

    // x / sqrt(mean(x^2) + epsilon) * gain over the last dimension; x itself where there is no gain.
    private static Tensor RmsNorm(Tensor x, Tensor? gain) =>
        gain is null ? x : x * (x.square().mean([-1], keepdim: true) + Epsilon).rsqrt() * gain;

    // Element i of a head's first half turns with element i of its second half, by position * base^(-2 i / D).
    private static Tensor Rope(Tensor x) // (B, T, H, D)
    {
        long t = x.shape[1], half = HeadSize / 2;
        var frequencies = (arange(half, dtype: ScalarType.Float64) * (-2.0 / HeadSize * Math.Log(RopeBase))).exp();
        var angles = (arange(t, dtype: ScalarType.Float64).unsqueeze(-1) * frequencies).unsqueeze(1); // (T, 1, D/2)
        var (cos, sin) = (angles.cos(), angles.sin());
        var (first, second) = (x.narrow(-1, 0, half), x.narrow(-1, half, half));
        return cat([first * cos - second * sin, second * cos + first * sin], -1);
    }
}
