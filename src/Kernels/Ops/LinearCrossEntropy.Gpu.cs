using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    /// <summary>Bytes of logits that are held at once: enough rows to fill a device, little beside its memory.</summary>
    public long LogitsBytes { get; init; } = 256 << 20;

    private protected override void LinearCrossEntropyCore(Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logProbabilities, Tensor logSumExp)
    {
        if (hidden.DType == DType.BF16)
            LinearCrossEntropy<BFloat16>(hidden, weight, targets, vocabulary, logProbabilities, logSumExp);
        else
            LinearCrossEntropy<Float32>(hidden, weight, targets, vocabulary, logProbabilities, logSumExp);
    }

    private protected override void LinearCrossEntropyBackwardCore(Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp,
        Tensor tokenWeights, Tensor dHidden, Tensor dWeight)
    {
        if (hidden.DType == DType.BF16)
            LinearCrossEntropyBackward<BFloat16>(hidden, weight, targets, vocabulary, logSumExp, tokenWeights, dHidden, dWeight);
        else
            LinearCrossEntropyBackward<Float32>(hidden, weight, targets, vocabulary, logSumExp, tokenWeights, dHidden, dWeight);
    }

    private void LinearCrossEntropy<T>(Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logProbabilities, Tensor logSumExp)
        where T : unmanaged, IElement<T>
    {
        int n = hidden.Shape[0], padded = weight.Shape[0], chunk = RowsOfLogits<T>(n, padded);
        var logits = Scratch<T>(ScratchLogits, (long)chunk * padded);
        for (int row = 0; row < n; row += chunk)
        {
            int rows = Math.Min(chunk, n - row);
            Logits(hidden.Slice(0, row, rows), weight, logits);
            Launch(new KernelConfig(rows, GroupSize), LogProbabilityKernel, logits, vocabulary, padded, Integers(targets.Slice(0, row, rows)),
                Floats(logProbabilities.Slice(0, row, rows)), Floats(logSumExp.Slice(0, row, rows)));
        }
    }

    private void LinearCrossEntropyBackward<T>(Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp, Tensor tokenWeights, Tensor dHidden,
        Tensor dWeight) where T : unmanaged, IElement<T>
    {
        int n = hidden.Shape[0], c = hidden.Shape[1], padded = weight.Shape[0], chunk = RowsOfLogits<T>(n, padded);
        var logits = Scratch<T>(ScratchLogits, (long)chunk * padded);
        OperandLayout rowsOfLogits = OperandLayout.DepthContiguous(padded), columnsOfLogits = OperandLayout.LineContiguous(padded), columns = OperandLayout.LineContiguous(c);
        for (int row = 0; row < n; row += chunk)
        {
            int rows = Math.Min(chunk, n - row);
            var x = hidden.Slice(0, row, rows);
            Logits(x, weight, logits);
            Launch(new KernelConfig(rows, GroupSize), LogitGradientKernel, logits, vocabulary, padded, Integers(targets.Slice(0, row, rows)),
                Floats(logSumExp.Slice(0, row, rows)), Floats(tokenWeights.Slice(0, row, rows)));
            Multiply(rows, c, padded, logits, rowsOfLogits, View<T>(weight), columns, ArrayView<float>.Empty, View<T>(dHidden.Slice(0, row, rows)), accumulate: false);
            Multiply(padded, c, rows, logits, columnsOfLogits, View<T>(x), columns, ArrayView<float>.Empty, View<Float32>(dWeight), accumulate: true);
        }
    }

    // logits (rows, Vpadded) = x (rows, C) W^T
    private void Logits<T>(Tensor x, Tensor weight, ArrayView<T> logits) where T : unmanaged, IElement<T>
    {
        int c = x.Shape[1];
        var contiguous = OperandLayout.DepthContiguous(c);
        Multiply(x.Shape[0], weight.Shape[0], c, View<T>(x), contiguous, View<T>(weight), contiguous, ArrayView<float>.Empty, logits, accumulate: false);
    }

    // Whole tiles of rows where there is room for one.
    private int RowsOfLogits<T>(int n, int padded) where T : unmanaged
    {
        long rows = LogitsBytes / ((long)padded * Interop.SizeOf<T>());
        return (int)Math.Clamp(rows < TileLines ? rows : rows / TileLines * TileLines, 1, Math.Max(n, 1));
    }

    // A group has a row. One pass over it: the sum of e^(x - max) is scaled anew where a larger maximum turns up.
    [Kernel(GroupSize)]
    private static void LogProbabilityKernel<T>(ArrayView<T> logits, int vocabulary, int padded, ArrayView<int> targets, ArrayView<float> logProbabilities,
        ArrayView<float> logSumExp) where T : unmanaged, IElement<T>
    {
        var tree = SharedMemory.Allocate<float>(GroupSize);
        int row = Grid.IdxX, start = row * padded;
        float max = float.NegativeInfinity, sum = 0;
        for (int i = Group.IdxX; i < vocabulary; i += GroupSize)
        {
            float x = logits[start + i].ToFloat(), smaller = XMath.Exp(-XMath.Abs(x - max));
            sum = x > max ? sum * smaller + 1 : sum + smaller;
            max = XMath.Max(max, x);
        }

        float largest = MaxOfGroup(max, tree), total = SumOfGroup(sum * XMath.Exp(max - largest), tree);
        if (Group.IdxX != 0)
            return;
        int target = targets[row];
        float lse = largest + XMath.Log(total);
        logSumExp[row] = lse;
        logProbabilities[row] = target < 0 ? 0 : logits[start + target].ToFloat() - lse;
    }

    // In place: logits become dLogits = weight (softmax - one-hot), with zeros in the padding and in rows that do not count.
    [Kernel(GroupSize)]
    private static void LogitGradientKernel<T>(ArrayView<T> logits, int vocabulary, int padded, ArrayView<int> targets, ArrayView<float> logSumExp,
        ArrayView<float> tokenWeights) where T : unmanaged, IElement<T>
    {
        int row = Grid.IdxX, start = row * padded, target = targets[row];
        float weight = target < 0 ? 0 : tokenWeights[row], lse = logSumExp[row];
        for (int i = Group.IdxX; i < padded; i += GroupSize)
        {
            float gradient = 0;
            if (weight != 0 && i < vocabulary)
                gradient = weight * (XMath.Exp(logits[start + i].ToFloat() - lse) - (i == target ? 1 : 0));
            logits[start + i] = default(T).From(gradient);
        }
    }
}
