using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>The layouts that the model can take. Each is one that other tools already load.</summary>
public enum Architecture
{
    /// <summary>LayerNorm, learned positions, GELU (tanh), biases: Hugging Face <c>GPT2LMHeadModel</c>.</summary>
    Gpt2,

    /// <summary>
    /// RMSNorm, RoPE, grouped-query attention, SwiGLU, no biases: Hugging Face <c>LlamaForCausalLM</c>.
    /// </summary>
    Llama,

    /// <summary>
    /// As <see cref="Llama"/>, with an RMSNorm on each head's queries and keys: Hugging Face <c>Qwen3ForCausalLM</c>.
    /// </summary>
    Qwen3,
}

/// <summary>How RoPE's positions are stretched, for a context longer than the model was first trained with.</summary>
public enum RopeScalingKind
{
    /// <summary>
    /// All positions divided by the factor (S. Chen et al., "Extending Context Window of Large Language Models", 2023).
    /// </summary>
    Linear,

    /// <summary>
    /// A larger base for sequences beyond the model's context. Within the context, which is all that is computed here,
    /// it changes nothing.
    /// </summary>
    Dynamic,
}

/// <summary>A scaling of RoPE's positions, as <c>rope_scaling</c> in <c>config.json</c> has it.</summary>
/// <param name="Kind">How.</param>
/// <param name="Factor">How far, above 0.</param>
public sealed record RopeScaling(RopeScalingKind Kind, double Factor);

/// <summary>Sizes and kinds of a model: everything that its weights' shapes and its forward pass depend on.</summary>
public sealed record GptConfig
{
    /// <summary>
    /// Rows of the token table and the head come in multiples of this in memory, so that products have whole tiles.
    /// </summary>
    public const int VocabularyMultiple = 128;

    /// <summary>
    /// The largest value of each size: far above any model's, and small enough that no product of two sizes overflows
    /// 64 bits, nor a few sizes added 32.
    /// </summary>
    public const int MaxSize = 1 << 24;

    /// <summary>
    /// Upper bound on the context length. Without learned positions nothing in the weights file confirms the value in
    /// config.json, so it is bounded here.
    /// </summary>
    public const int MaxContext = 1 << 20;

    /// <summary>The layout.</summary>
    public Architecture Architecture { get; init; } = Architecture.Qwen3;

    /// <summary>L: number of blocks.</summary>
    public int Layers { get; init; }

    /// <summary>H: query heads of each block.</summary>
    public int Heads { get; init; }

    /// <summary>Hkv: key and value heads of each block; a divisor of <see cref="Heads"/>.</summary>
    public int KvHeads { get; init; }

    /// <summary>D: size of a head.</summary>
    public int HeadSize { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public int Width { get; init; }

    /// <summary>F: width inside the MLP.</summary>
    public int MlpWidth { get; init; }

    /// <summary>T: the longest sequence.</summary>
    public int Context { get; init; }

    /// <summary>V: number of token ids, special tokens included.</summary>
    public int VocabularySize { get; init; }

    /// <summary>Base of RoPE's angles; unused by gpt2.</summary>
    public double RopeBase { get; init; } = 10_000;

    /// <summary>How RoPE's positions are scaled; null for not at all. Unused by gpt2.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>What RoPE's positions are divided by within the context.</summary>
    public double RopeDivisor => RopeScaling is { Kind: RopeScalingKind.Linear } linear ? linear.Factor : 1;

    /// <summary>Added to the variance (gpt2) or the mean square in norms.</summary>
    public float NormEpsilon { get; init; } = 1e-6f;

    /// <summary>Whether the head shares the token table's weights.</summary>
    public bool TiedHead { get; init; } = true;

    /// <summary>
    /// Dropout probability of embeddings, attention probabilities and both branches of a block; used in training only.
    /// </summary>
    public float Dropout { get; init; }

    /// <summary>
    /// Type of activations, their gradients, and the weights that the passes compute with. The weights themselves,
    /// their gradients and statistics are F32. No property of the model: its files say nothing of it.
    /// </summary>
    public DType ComputeType { get; init; } = DType.F32;

    /// <summary>
    /// Type of the matrices and tables in memory: F32, or I8 for a model that only reads, whose weights are rounded
    /// when they are loaded; see <see cref="QuantizedMatrix"/>. No property of the model either.
    /// </summary>
    public DType WeightType { get; init; } = DType.F32;

    /// <summary>
    /// The adapters that are trained in place of the weights, where there are some. No property of the model either.
    /// </summary>
    public LoraSettings? Lora { get; init; }

    /// <summary>Rows of the token table in memory.</summary>
    public int PaddedVocabulary => (VocabularySize + VocabularyMultiple - 1) / VocabularyMultiple * VocabularyMultiple;

    /// <summary>
    /// Number of weights in the matrices of all blocks and the tables of tokens and positions: nearly all that there
    /// are. Known before anything is built, and no size overflows it.
    /// </summary>
    public double MatrixWeights
    {
        get
        {
            double attention = HeadSize * (2.0 * Heads + 2.0 * KvHeads),
                mlp = (Architecture == Architecture.Gpt2 ? 2.0 : 3.0) * MlpWidth;
            return Width
                * (Layers * (attention + mlp) + (TiedHead ? 1.0 : 2.0) * VocabularySize
                + (LearnedPositions ? Context : 0));
        }
    }

    /// <summary>Whether positions are a learned table (gpt2) and not a rotation.</summary>
    public bool LearnedPositions => Architecture == Architecture.Gpt2;

    /// <summary>Whether queries and keys are normed head by head.</summary>
    public bool QueryKeyNorm => Architecture == Architecture.Qwen3;

    /// <summary>
    /// Fills in the defaults of an architecture: head size width/heads, as many key as query heads, MLP width 4 C
    /// (gpt2) or 8/3 C rounded up to a multiple of 64.
    /// </summary>
    /// <exception cref="TinyLlmException">The sizes do not fit together.</exception>
    public static GptConfig Create(
        Architecture architecture, int layers, int heads, int width, int context, int vocabularySize,
        int kvHeads = 0, float dropout = 0)
    {
        if (heads > 0 && width % heads != 0)
        {
            throw new TinyLlmException(
                $"--heads {heads} does not divide --width {width}; choose a width that is a multiple of the heads.");
        }

        bool gpt2 = architecture == Architecture.Gpt2;
        var config = new GptConfig
        {
            Architecture = architecture,
            Layers = layers,
            Heads = heads,
            KvHeads = kvHeads == 0 ? heads : kvHeads,
            HeadSize = heads > 0 ? width / heads : 0,
            Width = width,
            MlpWidth = gpt2 ? 4 * width : ((8 * width / 3) + 63) / 64 * 64,
            Context = context,
            VocabularySize = vocabularySize,
            NormEpsilon = gpt2 ? 1e-5f : 1e-6f,
            Dropout = dropout,
        };
        config.Validate();
        return config;
    }

    /// <summary>Checks that the sizes fit together.</summary>
    /// <exception cref="TinyLlmException">They do not; the message names the option.</exception>
    public void Validate()
    {
        Within("--layers", Layers);
        Within("--heads", Heads);
        Within("--kv-heads", KvHeads);
        Within("--width", Width);
        Within("head size", HeadSize);
        Within("MLP width", MlpWidth);
        Within("--context", Context, MaxContext);
        Within("--vocab-size", VocabularySize);
        if ((long)Heads * HeadSize > MaxSize)
        {
            throw new TinyLlmException(
                $"--heads {Heads} of size {HeadSize}: expected {MaxSize} or less for all heads together.");
        }

        if (Heads % KvHeads != 0)
        {
            throw new TinyLlmException($"--kv-heads {KvHeads} does not divide --heads {Heads}; each key head serves a "
                + "whole number of query heads.");
        }

        if (Architecture == Architecture.Gpt2 && KvHeads != Heads)
        {
            throw new TinyLlmException($"--kv-heads {KvHeads}: gpt2 has as many key heads as heads ({Heads}); leave "
                + "it out or take --arch llama or qwen3.");
        }

        if (Architecture != Architecture.Gpt2 && HeadSize % 2 != 0)
        {
            throw new TinyLlmException(
                $"The head size, --width {Width} over --heads {Heads}, is {HeadSize}; RoPE needs an even one.");
        }

        if (Architecture == Architecture.Gpt2 && Heads * HeadSize != Width)
        {
            throw new TinyLlmException(
                $"gpt2 has heads that fill the width; got {Heads} heads of {HeadSize} for width {Width}.");
        }

        if (Dropout is not (>= 0 and < 1))
            throw new TinyLlmException($"--dropout {Dropout}: expected 0 or more and less than 1.");
        if (RopeScaling is { } scaling && !(scaling.Factor > 0 && double.IsFinite(scaling.Factor)))
            throw new TinyLlmException($"The factor of RoPE's scaling is {scaling.Factor}; expected more than 0.");
        if (!(NormEpsilon > 0) || !(RopeBase > 1))
        {
            throw new TinyLlmException($"The norm epsilon is {NormEpsilon} and the RoPE base {RopeBase}; expected "
                + "more than 0 and more than 1.");
        }
    }

    private static void Within(string what, int value, int most = MaxSize)
    {
        if (value < 1 || value > most)
            throw new TinyLlmException($"{what} {value}: expected 1 to {most}.");
    }
}
