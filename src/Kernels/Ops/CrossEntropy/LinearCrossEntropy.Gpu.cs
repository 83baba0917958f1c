using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    /// <summary>
    /// Bytes of logits that are held at once: enough rows to fill a device, little beside its memory.
    /// </summary>
    public long LogitsBytes { get; init; }

    private protected override void LinearCrossEntropyCore(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logProbabilities, Tensor logSumExp)
    {
        if (hidden.DType == DType.BF16)
            LinearCrossEntropy<BFloat16>(hidden, weight, targets, vocabulary, logProbabilities, logSumExp);
        else
            LinearCrossEntropy<Float32>(hidden, weight, targets, vocabulary, logProbabilities, logSumExp);
    }

    private protected override void LinearCrossEntropyBackwardCore(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp,
        Tensor tokenWeights, Tensor dHidden, Tensor? dWeight, bool accumulate)
    {
        if (hidden.DType == DType.BF16)
        {
            LinearCrossEntropyBackward<BFloat16>(
                hidden, weight, targets, vocabulary, logSumExp, tokenWeights, dHidden, dWeight, accumulate);
        }
        else
        {
            LinearCrossEntropyBackward<Float32>(
                hidden, weight, targets, vocabulary, logSumExp, tokenWeights, dHidden, dWeight, accumulate);
        }
    }

    private protected override void LinearCrossEntropyForwardBackwardCore(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor tokenWeights,
        Tensor logProbabilities, Tensor logSumExp, Tensor dHidden, Tensor? dWeight, bool accumulate)
    {
        if (hidden.DType == DType.BF16)
        {
            LinearCrossEntropyForwardBackward<BFloat16>(
                hidden, weight, targets, vocabulary, tokenWeights, logProbabilities, logSumExp, dHidden, dWeight,
                accumulate);
        }
        else
        {
            LinearCrossEntropyForwardBackward<Float32>(
                hidden, weight, targets, vocabulary, tokenWeights, logProbabilities, logSumExp, dHidden, dWeight,
                accumulate);
        }
    }

    private void LinearCrossEntropy<T>(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logProbabilities, Tensor logSumExp)
        where T : unmanaged, IElement<T>
    {
        var head = new Head<T>(this, hidden, weight, targets, vocabulary, logSumExp);
        for (int row = 0; row < head.Rows; row += head.RowsPerChunk)
        {
            head.Logits(row);
            head.LogProbabilities(row, logProbabilities);
        }
    }

    private void LinearCrossEntropyBackward<T>(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp, Tensor tokenWeights,
        Tensor dHidden,
        Tensor? dWeight, bool accumulate) where T : unmanaged, IElement<T>
    {
        var head = new Head<T>(this, hidden, weight, targets, vocabulary, logSumExp);
        for (int row = 0; row < head.Rows; row += head.RowsPerChunk)
        {
            head.Logits(row);
            head.Gradients(row, tokenWeights, dHidden, dWeight, accumulate);
        }
    }

    private void LinearCrossEntropyForwardBackward<T>(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor tokenWeights, Tensor logProbabilities,
        Tensor logSumExp, Tensor dHidden, Tensor? dWeight, bool accumulate) where T : unmanaged, IElement<T>
    {
        var head = new Head<T>(this, hidden, weight, targets, vocabulary, logSumExp);
        for (int row = 0; row < head.Rows; row += head.RowsPerChunk)
        {
            head.Logits(row);
            head.LogProbabilities(row, logProbabilities);
            head.Gradients(row, tokenWeights, dHidden, dWeight, accumulate);
        }
    }

    /// <summary>
    /// The output layer with room for one chunk of logits: what is done with the chunk whose first row is given.
    /// </summary>
    private readonly struct Head<T>(
        GpuBackend backend, Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp)
        where T : unmanaged, IElement<T>
    {
        private readonly int c = hidden.Shape[1], padded = weight.Shape[0];
        private readonly ArrayView<T> logits = backend.Scratch<T>(ScratchLogits, (long)backend.RowsOfLogits<T>(
            hidden.Shape[0], weight.Shape[0]) * weight.Shape[0]);

        public int Rows => hidden.Shape[0];

        public int RowsPerChunk => backend.RowsOfLogits<T>(Rows, padded);

        // logits (rows, Vpadded) = x (rows, C) W^T
        public void Logits(int row)
        {
            var contiguous = OperandLayout.DepthContiguous(c);
            backend.Multiply(
                RowsFrom(row), padded, c,
                View<T>(Chunk(hidden, row)), contiguous, View<T>(weight), contiguous, ArrayView<float>.Empty, logits,
                accumulate: false);
        }

        public void LogProbabilities(int row, Tensor logProbabilities) =>
            backend.Launch(new KernelConfig(RowsFrom(row), GroupSize), LogProbabilityKernel, logits, vocabulary, padded,
                Integers(Chunk(targets, row)), Floats(Chunk(logProbabilities, row)), Floats(Chunk(logSumExp, row)));

        // dHidden = dLogits W, dWeight = or += dLogits^T x
        public void Gradients(int row, Tensor tokenWeights, Tensor dHidden, Tensor? dWeight, bool accumulate)
        {
            backend.Launch(
                new KernelConfig(RowsFrom(row), GroupSize), LogitGradientKernel, logits, vocabulary, padded,
                Integers(Chunk(targets, row)),
                Floats(Chunk(logSumExp, row)), Floats(Chunk(tokenWeights, row)));
            var columns = OperandLayout.LineContiguous(c);
            backend.Multiply(
                RowsFrom(row), c, padded, logits, OperandLayout.DepthContiguous(padded),
                View<T>(weight), columns, ArrayView<float>.Empty,
                View<T>(Chunk(dHidden, row)), accumulate: false);
            if (dWeight is { } sums)
            {
                backend.Multiply(
                    padded, c, RowsFrom(row), logits, OperandLayout.LineContiguous(padded),
                    View<T>(Chunk(hidden, row)), columns, ArrayView<float>.Empty,
                    View<Float32>(sums), accumulate || row > 0);
            }
        }

        private Tensor Chunk(Tensor all, int row) => all.Slice(0, row, RowsFrom(row));

        private int RowsFrom(int row) => Math.Min(RowsPerChunk, Rows - row);
    }

    // Whole tiles of rows where there is room for one.
    private int RowsOfLogits<T>(int n, int padded) where T : unmanaged
    {
        long rows = LogitsBytes / ((long)padded * Interop.SizeOf<T>());
        return (int)Math.Clamp(rows < TileLines ? rows : rows / TileLines * TileLines, 1, Math.Max(n, 1));
    }

    // A group has a row. One pass over it: the sum of e^(x - max) is scaled anew where a larger maximum turns up.
    [Kernel(GroupSize)]
    private static void LogProbabilityKernel<T>(
        ArrayView<T> logits, int vocabulary, int padded, ArrayView<int> targets, ArrayView<float> logProbabilities,
        ArrayView<float> logSumExp) where T : unmanaged, IElement<T>
    {
        var tree = SharedMemory.Allocate<float>(GroupSize);
        int row = Grid.IdxX, start = row * padded;
        float max = float.NegativeInfinity, sum = 0;
        for (int i = 4 * Group.IdxX; i < vocabulary; i += 4 * GroupSize)
        {
            int count = vocabulary - i;
            var x = FourElements.Load(logits, start + i, count, padded % 4 == 0 ? 1 : 0);
            // Behind the end: no new maximum.
            float b = count > 1 ? x.Y : x.X, c = count > 2 ? x.Z : x.X, d = count > 3 ? x.W : x.X;
            float larger = XMath.Max(max, XMath.Max(XMath.Max(x.X, b), XMath.Max(c, d)));
            var powers = new Float4(
                XMath.Exp(x.X - larger), XMath.Exp(b - larger), XMath.Exp(c - larger), XMath.Exp(d - larger));
            sum = sum * XMath.Exp(max - larger) + powers.First(count).Sum;
            max = larger;
        }

        float largest = MaxOfGroup(max, tree), total = SumOfGroup(sum * XMath.Exp(max - largest), tree);
        if (Group.IdxX != 0)
            return;
        int target = targets[row];
        float lse = largest + XMath.Log(total);
        logSumExp[row] = lse;
        logProbabilities[row] = target < 0 ? 0 : logits[start + target].ToFloat() - lse;
    }

    // In place: logits become dLogits = weight (softmax - one-hot), with zeros in the padding and in rows that do not
    // count.
    [Kernel(GroupSize)]
    private static void LogitGradientKernel<T>(
        ArrayView<T> logits, int vocabulary, int padded, ArrayView<int> targets, ArrayView<float> logSumExp,
        ArrayView<float> tokenWeights) where T : unmanaged, IElement<T>
    {
        int row = Grid.IdxX, start = row * padded, target = targets[row], packed = padded % 4 == 0 ? 1 : 0;
        float weight = target < 0 ? 0f : tokenWeights[row], lse = logSumExp[row];
        int end = weight != 0 ? vocabulary : 0; // behind it everything is zero
        for (int i = 4 * Group.IdxX; i < padded; i += 4 * GroupSize)
        {
            var x = FourElements.Load(logits, start + i, padded - i, packed);
            var gradient = new Float4(
                LogitGradient(x.X, lse, i, target, end), LogitGradient(x.Y, lse, i + 1, target, end),
                LogitGradient(x.Z, lse, i + 2, target, end), LogitGradient(x.W, lse, i + 3, target, end));
            FourElements.Store(logits, start + i, padded - i, packed, gradient * weight);
        }
    }

    // softmax - one-hot; 0 in the padding. Floats in the one-hot: ILGPU's OpenCL gets a condition wrong that becomes an
    // integer and then a float.
    private static float LogitGradient(float logit, float lse, int id, int target, int end)
    {
        float oneHot = id == target ? 1f : 0f;
        return id < end ? XMath.Exp(logit - lse) - oneHot : 0f;
    }
}
