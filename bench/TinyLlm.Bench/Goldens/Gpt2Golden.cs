using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace TinyLlm.Bench.Goldens;

/// <summary>
/// GPT-2: learned positions, LayerNorm before each part, GELU (tanh), biases, tied head. Weights of the linear layers
/// are (in, out), as in the files of GPT2LMHeadModel.
/// </summary>
/// <remarks>A. Radford et al., "Language Models are Unsupervised Multitask Learners" (2019).</remarks>
internal sealed class Gpt2Golden : GoldenModel
{
    private const int Mlp = 4 * Width;
    private const double Epsilon = 1e-5;

    private readonly Tensor wte, wpe;
    private readonly Block[] blocks = new Block[Layers];
    private readonly (Tensor Gain, Tensor Bias) finalNorm;

    private sealed record Block(
        (Tensor Gain, Tensor Bias) Norm1, (Tensor Weight, Tensor Bias) Qkv, (Tensor Weight, Tensor Bias) Out,
        (Tensor Gain, Tensor Bias) Norm2, (Tensor Weight, Tensor Bias) Up, (Tensor Weight, Tensor Bias) Down);

    public Gpt2Golden(GoldenRandom random) : base(random)
    {
        wte = AddMatrix("transformer.wte.weight", Vocabulary, Width);
        wpe = AddMatrix("transformer.wpe.weight", Context, Width);
        for (int i = 0; i < Layers; i++)
        {
            string h = $"transformer.h.{i}";
            blocks[i] = new Block(
                AddNorm($"{h}.ln_1"), AddLinear($"{h}.attn.c_attn", Width, 3 * Width),
                AddLinear($"{h}.attn.c_proj", Width, Width),
                AddNorm($"{h}.ln_2"), AddLinear($"{h}.mlp.c_fc", Width, Mlp), AddLinear($"{h}.mlp.c_proj", Mlp, Width));
        }

        finalNorm = AddNorm("transformer.ln_f");
    }

    public override string Architecture => "gpt2";

    public override Tensor Forward(Tensor tokens)
    {
        long b = tokens.shape[0], t = tokens.shape[1];
        var x = wte[tokens] + wpe[arange(t)]; // (B, T, C)
        foreach (var block in blocks)
        {
            var qkv = Linear(LayerNorm(x, block.Norm1), block.Qkv).view(b, t, 3, Heads, HeadSize);
            x = x + Linear(Attention(qkv.select(2, 0), qkv.select(2, 1), qkv.select(2, 2)), block.Out);
            x = x + Linear(Gelu(Linear(LayerNorm(x, block.Norm2), block.Up)), block.Down);
        }

        return LayerNorm(x, finalNorm).matmul(wte.t());
    }

    public override JsonObject Config() => new()
    {
        ["activation_function"] = "gelu_new",
        ["architectures"] = new JsonArray("GPT2LMHeadModel"),
        ["attn_pdrop"] = Real("0.0"),
        ["bos_token_id"] = 0,
        ["embd_pdrop"] = Real("0.0"),
        ["eos_token_id"] = 0,
        ["initializer_range"] = Real("0.02"),
        ["layer_norm_epsilon"] = Real("1e-05"),
        ["model_type"] = "gpt2",
        ["n_embd"] = Width,
        ["n_head"] = Heads,
        ["n_inner"] = null,
        ["n_layer"] = Layers,
        ["n_positions"] = Context,
        ["reorder_and_upcast_attn"] = false,
        ["resid_pdrop"] = Real("0.0"),
        ["scale_attn_by_inverse_layer_idx"] = false,
        ["scale_attn_weights"] = true,
        ["tie_word_embeddings"] = true,
        ["torch_dtype"] = "float32",
        ["use_cache"] = true,
        ["vocab_size"] = Vocabulary,
    };

    private (Tensor, Tensor) AddLinear(string name, int inputs, int outputs) =>
        (AddMatrix($"{name}.weight", inputs, outputs), AddBias($"{name}.bias", outputs));

    private (Tensor, Tensor) AddNorm(string name) => (AddGain($"{name}.weight", Width), AddBias($"{name}.bias", Width));

    private static Tensor Linear(Tensor x, (Tensor Weight, Tensor Bias) layer) => x.matmul(layer.Weight) + layer.Bias;

    private static Tensor LayerNorm(Tensor x, (Tensor Gain, Tensor Bias) norm)
    {
        var centred = x - x.mean([-1], keepdim: true);
        var variance = centred.square().mean([-1], keepdim: true);
        return centred * (variance + Epsilon).rsqrt() * norm.Gain + norm.Bias;
    }

    private static Tensor Gelu(Tensor x) => 0.5 * x * (1 + (Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x.pow(3))).tanh());
}
