namespace TinyLlm.Kernels;

/// <summary>
/// Which keys each query sees, beyond the causal rule. Both tensors live on the device, so the launches stay the same
/// as they change.
/// </summary>
/// <param name="Offsets">
/// (B) I32, or none for zeros: how many keys of row b come before its first query. Zero in training and prefill; in
/// decoding the number of tokens that the cache held before, which may differ from row to row.
/// </param>
/// <param name="Starts">
/// (B, Tq) I32, or none for zeros: the first key that a query sees. Packed documents set it to the place where the
/// document begins.
/// </param>
public readonly record struct AttentionMask(Tensor? Offsets = null, Tensor? Starts = null);

/// <summary>Dropout of the attention probabilities; see <see cref="Backend.Dropout"/> for the generator.</summary>
/// <param name="Probability">Chance that a probability is dropped; 0 for none.</param>
/// <param name="State">The step state's buffer; needed where the probability is not 0.</param>
/// <param name="Site">Number of the place in the model: a different one for each use of dropout.</param>
public readonly record struct AttentionDropout(float Probability, Tensor? State, int Site);

public abstract partial class Backend
{
    /// <summary>
    /// Causal attention with grouped queries: out[b, i, h] = sum_j softmax_j(q[b, i, h] . k[b, j, h / (H / Hkv)] /
    /// sqrt(D)) v[b, j, ...] over the keys Starts[b, i] &lt;= j &lt;= Offsets[b] + i. The (Tq, Tk) matrix is never
    /// stored: softmax is computed online (M. Milakov and N. Gimelshein, 2018; T. Dao et al., "FlashAttention", 2022).
    /// </summary>
    /// <remarks>
    /// One op for training, packed documents, prefill, and batched decoding of rows of unequal length: a row shorter
    /// than Tq is padded behind its end, where no earlier query looks; its padded queries give values that nobody
    /// reads. With dropout each probability is multiplied by its mask; element (b, h, i, j) draws number ((b H + h) Tq
    /// + i) Tk + j of the site, counted on from micro-batch to micro-batch.
    /// </remarks>
    /// <param name="q">(B, Tq, H, D) F32 or BF16; may be strided.</param>
    /// <param name="k">(B, Tk, Hkv, D), dtype of q, H a multiple of Hkv; may be strided.</param>
    /// <param name="v">(B, Tk, Hkv, D), dtype of q; may be strided.</param>
    /// <param name="output">(B, Tq, H, D), dtype of q; overwritten; may be strided.</param>
    /// <param name="logSumExp">(B, H, Tq) F32: log of the sum of the exponentials of a query's scores; overwritten,
    /// kept for the backward pass.</param>
    /// <param name="mask">Offsets and document starts.</param>
    /// <param name="dropout">Dropout of the probabilities.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Attention(
        Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask = default,
        AttentionDropout dropout = default)
    {
        CheckAttention(nameof(Attention), q, k, v, output, logSumExp, mask, dropout);
        AttentionCore(q, k, v, output, logSumExp, mask, dropout);
    }

    /// <summary>
    /// Gradients of <see cref="Attention"/>. With P recomputed from the scores and logSumExp, and delta_i = dOut_i .
    /// out_i: dV = P^T dOut, dP = dOut V^T, dS = P (dP - delta), dQ = dS K / sqrt(D), dK = dS^T Q / sqrt(D).
    /// </summary>
    /// <param name="dOutput">(B, Tq, H, D), dtype of q; may be strided.</param>
    /// <param name="output">What the forward pass gave.</param>
    /// <param name="logSumExp">What the forward pass gave.</param>
    /// <param name="dq">(B, Tq, H, D), dtype of q; overwritten; may be strided.</param>
    /// <param name="dk">(B, Tk, Hkv, D), dtype of q, summed over the queries' heads of a group; overwritten; may be
    /// strided.</param>
    /// <param name="dv">(B, Tk, Hkv, D), dtype of q; overwritten; may be strided.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void AttentionBackward(
        Tensor dOutput, Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, Tensor dq, Tensor dk, Tensor dv,
        AttentionMask mask = default, AttentionDropout dropout = default)
    {
        const string op = nameof(AttentionBackward);
        CheckAttention(op, q, k, v, output, logSumExp, mask, dropout);
        Check.Shape(op, dOutput, q.Shape, q.DType, strided: true);
        Check.Shape(op, dq, q.Shape, q.DType, strided: true);
        Check.Shape(op, dk, k.Shape, q.DType, strided: true);
        Check.Shape(op, dv, k.Shape, q.DType, strided: true);
        AttentionBackwardCore(dOutput, q, k, v, output, logSumExp, dq, dk, dv, mask, dropout);
    }

    private protected abstract void AttentionCore(
        Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask, AttentionDropout dropout);

    private protected abstract void AttentionBackwardCore(
        Tensor dOutput, Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp,
        Tensor dq, Tensor dk, Tensor dv, AttentionMask mask, AttentionDropout dropout);

    private static void CheckAttention(
        string op, Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask,
        AttentionDropout dropout)
    {
        Check.That(q.Shape.Rank == 4 && k.Shape.Rank == 4 && q.Shape[0] == k.Shape[0] && q.Shape[3] == k.Shape[3]
            && k.Shape[2] > 0 && q.Shape[2] % k.Shape[2] == 0, op,
            $"q is {q.Shape}, k is {k.Shape}; expected (B, Tq, H, D) and (B, Tk, Hkv, D) with H a multiple of Hkv.");
        Check.That(mask.Offsets is not null || k.Shape[1] >= q.Shape[1], op, $"q is {q.Shape}, k is {k.Shape}; "
            + $"without offsets there must be a key for each query.");
        var dtype = Check.Floating(op, q, strided: true);
        Check.Shape(op, k, k.Shape, dtype, strided: true);
        Check.Shape(op, v, k.Shape, dtype, strided: true);
        Check.Shape(op, output, q.Shape, dtype, strided: true);
        Check.Shape(op, logSumExp, (q.Shape[0], q.Shape[2], q.Shape[1]));
        Check.Shape(op, mask.Offsets, q.Shape[0], DType.I32);
        Check.Shape(op, mask.Starts, (q.Shape[0], q.Shape[1]), DType.I32);
        Check.That(dropout.Probability is >= 0 and < 1, op,
            $"dropout is {dropout.Probability}; expected 0 or more and less than 1.");
        Check.That(dropout.Probability == 0 || dropout.State is not null, op, $"dropout needs the step state.");
    }
}
