namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// The output layer and the loss in one op: logProbabilities[n] = log softmax(weight hidden[n])[targets[n]]. It
    /// works in chunks of rows, so that (N, V) logits are never kept.
    /// </summary>
    /// <param name="hidden">(N, C) F32 or BF16: final hidden states; any shape of as many rows.</param>
    /// <param name="weight">(Vpadded, C), dtype of hidden: the head; rows from <paramref name="vocabulary"/> on are
    /// padding and are masked.</param>
    /// <param name="targets">(N) I32 in [0, V), or negative where a token is not scored; any shape of as many
    /// elements.</param>
    /// <param name="vocabulary">V: the rows of the head that count.</param>
    /// <param name="logProbabilities">(N) F32; overwritten; 0 where the target is negative.</param>
    /// <param name="logSumExp">(N) F32; overwritten, kept for the backward pass.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void LinearCrossEntropy(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logProbabilities, Tensor logSumExp)
    {
        int n = hidden.Shape.Rows;
        CheckLinearCrossEntropy(nameof(LinearCrossEntropy), hidden, weight, targets, vocabulary, logSumExp);
        Check.Shape(nameof(LinearCrossEntropy), logProbabilities, n);
        LinearCrossEntropyCore(
            hidden.View((n, hidden.Shape[-1])), weight, targets.View(n), vocabulary, logProbabilities, logSumExp);
    }

    /// <summary>
    /// Gradients of the loss -sum_n tokenWeights[n] logProbabilities[n], recomputing the logits chunk by chunk:
    /// dLogits[n, v] = tokenWeights[n] (softmax[v] - (v == target)), dHidden = dLogits W, dWeight = or += dLogits^T
    /// hidden.
    /// </summary>
    /// <param name="tokenWeights">
    /// (N) F32. What a stage minimises: 1/N in pretraining, mask/count in supervised finetuning; may be set after the
    /// forward pass. Rows whose target is negative count as 0.
    /// </param>
    /// <param name="dHidden">Shape and dtype of hidden; overwritten.</param>
    /// <param name="dWeight">(Vpadded, C) F32; added to, or overwritten where <paramref name="accumulate"/> is false;
    /// padding rows get zeros; none where the weight is not trained.</param>
    /// <param name="accumulate">Whether to add to dWeight.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void LinearCrossEntropyBackward(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp, Tensor tokenWeights,
        Tensor dHidden, Tensor? dWeight, bool accumulate = true)
    {
        const string op = nameof(LinearCrossEntropyBackward);
        int n = hidden.Shape.Rows, c = hidden.Shape[-1];
        CheckLinearCrossEntropy(op, hidden, weight, targets, vocabulary, logSumExp);
        CheckLinearCrossEntropyGradients(op, hidden, weight, tokenWeights, dHidden, dWeight);
        LinearCrossEntropyBackwardCore(
            hidden.View((n, c)), weight, targets.View(n), vocabulary, logSumExp, tokenWeights, dHidden.View((n, c)),
            dWeight, accumulate);
    }

    /// <summary>
    /// <see cref="LinearCrossEntropy"/> and <see cref="LinearCrossEntropyBackward"/> in one pass over the chunks, for
    /// token weights that are known before: each chunk's logits turn into their gradient where they lie, instead of
    /// being computed twice. The results are the same.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void LinearCrossEntropyForwardBackward(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor tokenWeights, Tensor logProbabilities,
        Tensor logSumExp,
        Tensor dHidden, Tensor? dWeight, bool accumulate = true)
    {
        const string op = nameof(LinearCrossEntropyForwardBackward);
        int n = hidden.Shape.Rows, c = hidden.Shape[-1];
        CheckLinearCrossEntropy(op, hidden, weight, targets, vocabulary, logSumExp);
        Check.Shape(op, logProbabilities, n);
        CheckLinearCrossEntropyGradients(op, hidden, weight, tokenWeights, dHidden, dWeight);
        LinearCrossEntropyForwardBackwardCore(
            hidden.View((n, c)), weight, targets.View(n), vocabulary, tokenWeights, logProbabilities, logSumExp,
            dHidden.View((n, c)), dWeight, accumulate);
    }

    private protected abstract void LinearCrossEntropyCore(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logProbabilities, Tensor logSumExp);

    private protected abstract void LinearCrossEntropyBackwardCore(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp,
        Tensor tokenWeights, Tensor dHidden, Tensor? dWeight, bool accumulate);

    private protected abstract void LinearCrossEntropyForwardBackwardCore(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor tokenWeights,
        Tensor logProbabilities, Tensor logSumExp, Tensor dHidden, Tensor? dWeight, bool accumulate);

    private static void CheckLinearCrossEntropyGradients(
        string op, Tensor hidden, Tensor weight, Tensor tokenWeights, Tensor dHidden, Tensor? dWeight)
    {
        Check.Shape(op, tokenWeights, hidden.Shape.Rows);
        Check.Shape(op, dHidden, hidden.Shape, hidden.DType);
        Check.Shape(op, dWeight, weight.Shape);
    }

    private static void CheckLinearCrossEntropy(
        string op, Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp)
    {
        Check.That(weight.Shape.Rank == 2 && weight.Shape[1] == hidden.Shape[-1] && vocabulary > 0
            && vocabulary <= weight.Shape[0], op,
            $"hidden is {hidden.Shape}, weight is {weight.Shape}, the vocabulary is {vocabulary}; expected (N, C), "
            + $"(Vpadded, C) and 1 to Vpadded.");
        Check.Shape(op, weight, weight.Shape, Check.Floating(op, hidden));
        Check.Shape(op, targets, targets.Shape, DType.I32);
        Check.That(targets.Count == hidden.Shape.Rows, op,
            $"hidden is {hidden.Shape}, targets is {targets.Shape}; expected one target a row.");
        Check.Shape(op, logSumExp, hidden.Shape.Rows);
    }
}
