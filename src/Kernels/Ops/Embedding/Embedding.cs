namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// Looks up token rows and adds position rows where the model learns them: y[b, t] = weight[tokens[b, t]] +
    /// positionWeight[positions[b, t]].
    /// </summary>
    /// <param name="tokens">(B, T) I32, each within the rows of <paramref name="weight"/>; the caller has checked
    /// that.</param>
    /// <param name="weight">(V, C) F32 or BF16.</param>
    /// <param name="positions">(B, T) I32, each within the rows of <paramref name="positionWeight"/>; read only where
    /// there are such.</param>
    /// <param name="positionWeight">(Tmax, C), dtype of weight, or none.</param>
    /// <param name="y">(B, T, C), dtype of weight; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Embedding(Tensor tokens, Tensor weight, Tensor positions, Tensor? positionWeight, Tensor y)
    {
        CheckEmbedding(nameof(Embedding), tokens, weight, positions, positionWeight, y, y.DType);
        EmbeddingCore(tokens, weight, positions, positionWeight, y);
    }

    /// <summary>
    /// Gradients of <see cref="Embedding"/>: dWeight[tokens[b, t]] += dy[b, t], and the same for positions.
    /// </summary>
    /// <param name="dy">(B, T, C) F32 or BF16.</param>
    /// <param name="dWeight">(V, C) F32; accumulated.</param>
    /// <param name="dPositionWeight">(Tmax, C) F32, accumulated, or none.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void EmbeddingBackward(Tensor dy, Tensor tokens, Tensor dWeight, Tensor positions, Tensor? dPositionWeight)
    {
        CheckEmbedding(nameof(EmbeddingBackward), tokens, dWeight, positions, dPositionWeight, dy, DType.F32);
        EmbeddingBackwardCore(dy, tokens, dWeight, positions, dPositionWeight);
    }

    private protected abstract void EmbeddingCore(
        Tensor tokens, Tensor weight, Tensor positions, Tensor? positionWeight, Tensor y);

    private protected abstract void EmbeddingBackwardCore(
        Tensor dy, Tensor tokens, Tensor dWeight, Tensor positions, Tensor? dPositionWeight);

    private static void CheckEmbedding(
        string op, Tensor tokens, Tensor weight, Tensor positions, Tensor? positionWeight, Tensor y, DType weightType)
    {
        Check.That(tokens.Shape.Rank == 2 && weight.Shape.Rank == 2, op, $"tokens is {tokens.Shape}, weight is "
            + $"{weight.Shape}; expected (B, T) and (V, C).");
        int c = weight.Shape[1];
        Check.Shape(op, tokens, tokens.Shape, DType.I32);
        Check.Shape(op, weight, weight.Shape, weightType);
        Check.Shape(op, positions, tokens.Shape, DType.I32);
        Check.Shape(op, y, (tokens.Shape[0], tokens.Shape[1], c), Check.Floating(op, y));
        if (positionWeight is { } table)
            Check.Shape(op, table, (table.Shape[0], c), weightType);
    }
}
