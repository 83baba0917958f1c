using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// Buffers for norm and MLP-activation outputs, shared by all blocks. The backward pass recomputes them: one cheap
/// row-wise pass each, negligible beside a matrix product.
/// </summary>
internal sealed record SharedOutputs(Tensor NormOut, Tensor MlpOut)
{
    public static SharedOutputs Plan(Arena arena, GptConfig config, int b, int t) =>
        new(arena.Add("norm_out", (b, t, config.Width), config.ComputeType),
            arena.Add("mlp_out", (b, t, config.MlpWidth), config.ComputeType));
}

/// <summary>What one block keeps of the forward pass.</summary>
internal sealed class BlockActivations
{
    public BlockActivations(Arena arena, GptConfig config, int b, int t, string name, SharedOutputs? shared)
    {
        int c = config.Width, h = config.Heads, kv = config.KvHeads, d = config.HeadSize, f = config.MlpWidth;
        var type = config.ComputeType;
        OutputsAreShared = shared is not null;
        Norm1Out = shared?.NormOut ?? arena.Add(name + ".norm1_out", (b, t, c), type);
        Norm1 = NormStatistics.Plan(arena, name + ".norm1", b * t);
        Qkv = arena.Add(name + ".qkv", (b, t, (h + 2 * kv) * d), type);
        if (config.QueryKeyNorm)
        {
            Q = arena.Add(name + ".q", (b, t, h, d), type);
            K = arena.Add(name + ".k", (b, t, kv, d), type);
            QueryNorm = NormStatistics.Plan(arena, name + ".q_norm", b * t * h);
            KeyNorm = NormStatistics.Plan(arena, name + ".k_norm", b * t * kv);
        }

        Attention = arena.Add(name + ".attention", (b, t, h * d), type);
        LogSumExp = arena.Add(name + ".logsumexp", (b, h, t));
        Norm2Out = shared?.NormOut ?? arena.Add(name + ".norm2_out", (b, t, c), type);
        Norm2 = NormStatistics.Plan(arena, name + ".norm2", b * t);
        MlpIn = arena.Add(name + ".mlp_in", (b, t, config.Architecture == Architecture.Gpt2 ? f : 2 * f), type);
        MlpOut = shared?.MlpOut ?? arena.Add(name + ".mlp_out", (b, t, f), type);
    }

    public bool OutputsAreShared { get; } // of norms and MLP: the backward pass computes them once more
    public Tensor Norm1Out { get; }       // (B, T, C)
    public NormStatistics Norm1 { get; }  // (B T)
    public Tensor Qkv { get; }            // (B, T, (H + 2 Hkv) D); llama rotates its q and k in place
    public Tensor Q { get; }              // (B, T, H, D), normed and rotated; qwen3 only
    public Tensor K { get; }              // (B, T, Hkv, D), normed and rotated; qwen3 only
    public NormStatistics QueryNorm { get; }
    public NormStatistics KeyNorm { get; }
    public Tensor Attention { get; }      // (B, T, H D)
    public Tensor LogSumExp { get; }      // (B, H, T)
    public Tensor Mid { get; init; }      // (B, T, C): the residual stream between the halves
    public Tensor Norm2Out { get; }       // (B, T, C)
    public NormStatistics Norm2 { get; }  // (B T)
    public Tensor MlpIn { get; }          // (B, T, F), or gate and up, (B, T, 2F)
    public Tensor MlpOut { get; }         // (B, T, F)
    // (B, T, C): a half's output where it is not added at once, with dropout and 8-bit weights; all blocks share it.
    public Tensor? Branch { get; init; }
}

/// <summary>
/// Gradients of a block's activations: scratch that all blocks share, and in each the two halves, as the MLP's are done
/// with when the attention's begin.
/// </summary>
internal sealed class BlockGradients
{
    public BlockGradients(Arena arena, GptConfig config, int b, int t)
    {
        int c = config.Width, h = config.Heads, kv = config.KvHeads, d = config.HeadSize, f = config.MlpWidth;
        var type = config.ComputeType;
        NormOut = arena.Add("d.norm_out", (b, t, c), type);
        if (config.Dropout > 0)
            Branch = arena.Add("d.branch", (b, t, c), type);
        arena.Overlay(
            () =>
            {
                MlpIn = arena.Add("d.mlp_in", (b, t, config.Architecture == Architecture.Gpt2 ? f : 2 * f), type);
                if (config.Architecture != Architecture.Gpt2)
                    MlpOut = arena.Add("d.mlp_out", (b, t, f), type);
            },
            () =>
            {
                Qkv = arena.Add("d.qkv", (b, t, (h + 2 * kv) * d), type);
                if (config.QueryKeyNorm)
                {
                    Q = arena.Add("d.q", (b, t, h, d), type);
                    K = arena.Add("d.k", (b, t, kv, d), type);
                }

                Attention = arena.Add("d.attention", (b, t, h * d), type);
            });
    }

    public Tensor NormOut { get; }
    public Tensor Qkv { get; private set; }
    public Tensor Q { get; private set; }
    public Tensor K { get; private set; }
    public Tensor Attention { get; private set; }
    public Tensor MlpIn { get; private set; }
    public Tensor MlpOut { get; private set; } // of what SwiGLU gives; GELU's derivative is part of a product
    public Tensor Branch { get; } // only with dropout
}

/// <summary>
/// The memory plan of a model for batches of (B, T): inputs, what the blocks keep, and the gradients. Training keeps
/// every block's activations, on some backends without the outputs of norms and activation functions
/// (<see cref="Backend.SharesOutputs"/>); with recomputation (T. Chen et al., "Training Deep Nets with Sublinear Memory
/// Cost", 2016) only every block's input, and one set of activations for all blocks, which the backward pass fills
/// again. Inference has one set too, and a residual stream that is updated in place.
/// </summary>
public sealed class Activations
{
    private readonly GptConfig config;

    /// <summary>Plans the tensors in <paramref name="arena"/>; they can be used once it is allocated.</summary>
    /// <param name="arena">Where to plan.</param>
    /// <param name="config">The model.</param>
    /// <param name="b">Rows of a batch.</param>
    /// <param name="t">Tokens of a row, at most the model's context.</param>
    /// <param name="training">Whether to keep what a backward pass needs.</param>
    /// <param name="recompute">Whether training keeps only the blocks' inputs. The gradients have the same
    /// bits.</param>
    /// <param name="packed">Whether a row may hold several documents, none of which sees another:
    /// <see cref="SetStarts"/> says where they begin.</param>
    public Activations(
        Arena arena, GptConfig config, int b, int t, bool training, bool recompute = false, bool packed = false)
    {
        (this.config, B, T, Recompute) = (config, b, t, training && recompute);
        int c = config.Width;
        var type = config.ComputeType;
        Tokens = arena.Add("tokens", (b, t), DType.I32);
        Positions = arena.Add("positions", (b, t), DType.I32);
        if (packed)
            Starts = arena.Add("document starts", (b, t), DType.I32);
        Targets = arena.Add("targets", (b, t), DType.I32);
        TokenWeights = arena.Add("token weights", b * t);
        LogProbabilities = arena.Add("log-probabilities", b * t);
        LogitsLogSumExp = arena.Add("logits.logsumexp", b * t);
        Hidden = arena.Add("hidden", (b, t, c), type);
        FinalNorm = NormStatistics.Plan(arena, "final_norm", b * t);

        bool branchApart = (training && config.Dropout > 0) || config.WeightType == DType.I8;
        Tensor? branch = branchApart ? arena.Add("branch", (b, t, c), type) : null;
        Residual = new Tensor[config.Layers + 1];
        Blocks = new BlockActivations[config.Layers];
        var shared = training && !recompute && arena.Backend.SharesOutputs ? SharedOutputs.Plan(arena, config, b, t)
            : null;
        Residual[0] = arena.Add("residual.0", (b, t, c), type);
        for (int layer = 0; layer < config.Layers; layer++)
        {
            bool own = (training && !recompute) || layer == 0;
            Residual[layer + 1] = training ? arena.Add($"residual.{layer + 1}", (b, t, c), type) : Residual[0];
            Blocks[layer] = own
                ? new BlockActivations(arena, config, b, t, $"block.{layer}", shared)
                {
                    Mid = training ? arena.Add($"block.{layer}.mid", (b, t, c), type) : Residual[0],
                    Branch = branch,
                }
                : Blocks[0];
        }

        if (config.Lora is { } lora)
            Lora = new LoraScratch(arena, config, lora, b * t);
        if (training)
        {
            Gradients = new BlockGradients(arena, config, b, t);
            ResidualGradient = arena.Add("d.residual", (b, t, c), type);
            HiddenGradient = Gradients.NormOut; // which no block needs yet
        }
    }

    /// <summary>Rows of a batch.</summary>
    public int B { get; }

    /// <summary>Tokens of a row.</summary>
    public int T { get; }

    /// <summary>(B, T) I32: token ids.</summary>
    public Tensor Tokens { get; }

    /// <summary>(B, T) I32: place of each token in its document.</summary>
    public Tensor Positions { get; }

    /// <summary>
    /// (B, T) I32: the place in the row where each token's document begins; only where rows are packed.
    /// </summary>
    public Tensor? Starts { get; }

    /// <summary>(B, T) I32: the tokens to predict, negative where none is scored.</summary>
    public Tensor Targets { get; }

    /// <summary>(B T) F32: how much each predicted token counts in the loss.</summary>
    public Tensor TokenWeights { get; }

    /// <summary>(B T) F32: log-probability of each target.</summary>
    public Tensor LogProbabilities { get; }

    /// <summary>(B, T, C) F32: the final norm's output, which the head reads.</summary>
    public Tensor Hidden { get; }

    internal bool Recompute { get; }              // whether all blocks share one set in training
    internal Tensor LogitsLogSumExp { get; }      // (B T)
    internal NormStatistics FinalNorm { get; }    // (B T)
    internal Tensor[] Residual { get; }           // L + 1 of (B, T, C): the input of each block, and the last output
    internal BlockActivations[] Blocks { get; }   // L
    internal BlockGradients? Gradients { get; }
    internal LoraScratch? Lora { get; }           // where the model has adapters
    internal Tensor ResidualGradient { get; }     // (B, T, C)
    internal Tensor HiddenGradient { get; }       // (B, T, C)

    /// <summary>
    /// The most rows of <paramref name="t"/> tokens: no tensor has more elements than 32 bits can number.
    /// </summary>
    public static int MaxRows(GptConfig config, int t)
    {
        int qkv = (config.Heads + 2 * config.KvHeads) * config.HeadSize,
            mlp = config.MlpWidth * (config.Architecture == Architecture.Gpt2 ? 1 : 2);
        return (int)(int.MaxValue / ((long)t * Math.Max(config.Width, Math.Max(qkv, mlp))));
    }

    /// <summary>Sends token ids and positions, after checking that the model has them.</summary>
    /// <exception cref="TinyLlmException">A token id is outside the vocabulary, or a position beyond the
    /// context.</exception>
    public void SetInputs(ReadOnlySpan<int> tokens, ReadOnlySpan<int> positions)
    {
        CheckTokens(tokens, 0);
        foreach (int position in positions)
        {
            if ((uint)position >= (uint)config.Context)
            {
                throw new TinyLlmException(
                    $"Position {position} is beyond the model's context of {config.Context} tokens.");
            }
        }

        var backend = Tokens.Storage.Backend;
        backend.Write(Tokens, tokens);
        backend.Write(Positions, positions);
    }

    /// <summary>
    /// Sends the places (B, T) where each token's document begins, for packed rows: a token sees none before it.
    /// </summary>
    /// <exception cref="InvalidOperationException">The rows were not planned for it.</exception>
    public void SetStarts(ReadOnlySpan<int> starts)
    {
        var tensor = Starts
            ?? throw new InvalidOperationException("SetStarts: the activations were planned for rows of one document.");
        tensor.Storage.Backend.Write(tensor, starts);
    }

    /// <summary>
    /// Sends the targets (B, T), after checking that the model has them; negative ones are not scored.
    /// </summary>
    /// <exception cref="TinyLlmException">A target is outside the vocabulary.</exception>
    public void SetTargets(ReadOnlySpan<int> targets)
    {
        CheckTokens(targets, int.MinValue);
        Targets.Storage.Backend.Write(Targets, targets);
    }

    private void CheckTokens(ReadOnlySpan<int> tokens, int smallest)
    {
        for (int i = 0; i < tokens.Length; i++)
        {
            if (tokens[i] >= config.VocabularySize || tokens[i] < smallest)
            {
                throw new TinyLlmException($"Token id {tokens[i]} (number {i} of the batch) is outside the vocabulary "
                    + $"of {config.VocabularySize}; was the text encoded with another tokenizer?");
            }
        }
    }
}
