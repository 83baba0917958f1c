namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// <see cref="LinearCrossEntropy"/> with an output layer of 8-bit weights: logProbabilities[n] = log softmax(weight
    /// hidden[n])[targets[n]].
    /// </summary>
    /// <param name="hidden">(N, C) F32; any shape of as many rows.</param>
    /// <param name="weight">(Vpadded, C): the head; rows from <paramref name="vocabulary"/> on are padding and are
    /// masked.</param>
    /// <param name="targets">(N) I32 in [0, V), or negative where a token is not scored; any shape of as many
    /// elements.</param>
    /// <param name="vocabulary">V: the rows of the head that count.</param>
    /// <param name="logProbabilities">(N) F32; overwritten; 0 where the target is negative.</param>
    /// <param name="logSumExp">(N) F32; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void QuantizedLinearCrossEntropy(
        Tensor hidden, QuantizedMatrix weight, Tensor targets, int vocabulary, Tensor logProbabilities,
        Tensor logSumExp)
    {
        const string op = nameof(QuantizedLinearCrossEntropy);
        int n = hidden.Shape.Rows, c = hidden.Shape[-1];
        CheckQuantized(op, weight, c);
        Check.That(vocabulary > 0
            && vocabulary <= weight.Rows, op, $"the vocabulary is {vocabulary}; expected 1 to {weight.Rows}.");
        Check.Shape(op, hidden, hidden.Shape);
        Check.Shape(op, targets, targets.Shape, DType.I32);
        Check.That(targets.Count == n, op,
            $"hidden is {hidden.Shape}, targets is {targets.Shape}; expected one target a row.");
        Check.Shape(op, logProbabilities, n);
        Check.Shape(op, logSumExp, n);
        QuantizedLinearCrossEntropyCore(
            hidden.View((n, c)), weight, targets.View(n), vocabulary, logProbabilities, logSumExp);
    }

    private protected abstract void QuantizedLinearCrossEntropyCore(
        Tensor hidden, QuantizedMatrix weight, Tensor targets, int vocabulary, Tensor logProbabilities,
        Tensor logSumExp);
}
