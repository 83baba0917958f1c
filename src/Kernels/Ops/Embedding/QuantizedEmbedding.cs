namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// <see cref="Embedding"/> from tables of 8-bit weights: y[b, t] = weight[tokens[b, t]] +
    /// positionWeight[positions[b, t]].
    /// </summary>
    /// <param name="tokens">(B, T) I32, each within the rows of <paramref name="weight"/>; the caller has checked
    /// that.</param>
    /// <param name="weight">(V, C).</param>
    /// <param name="positions">(B, T) I32, each within the rows of <paramref name="positionWeight"/>; read only where
    /// there are such.</param>
    /// <param name="positionWeight">(Tmax, C), or none.</param>
    /// <param name="y">(B, T, C) F32; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void QuantizedEmbedding(
        Tensor tokens, QuantizedMatrix weight, Tensor positions, QuantizedMatrix? positionWeight, Tensor y)
    {
        const string op = nameof(QuantizedEmbedding);
        int c = y.Shape[-1];
        Check.That(tokens.Shape.Rank == 2, op, $"tokens is {tokens.Shape}; expected (B, T).");
        Check.Shape(op, tokens, tokens.Shape, DType.I32);
        Check.Shape(op, positions, tokens.Shape, DType.I32);
        Check.Shape(op, y, (tokens.Shape[0], tokens.Shape[1], c));
        CheckQuantized(op, weight, c);
        if (positionWeight is { } table)
            CheckQuantized(op, table, c);
        QuantizedEmbeddingCore(tokens, weight, positions, positionWeight, y);
    }

    private protected abstract void QuantizedEmbeddingCore(
        Tensor tokens, QuantizedMatrix weight, Tensor positions, QuantizedMatrix? positionWeight, Tensor y);
}
