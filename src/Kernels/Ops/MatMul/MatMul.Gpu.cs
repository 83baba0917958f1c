using ILGPU;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void MatMulCore(Tensor x, Tensor weight, Tensor? bias, Tensor y) =>
        MatMul(x, weight, bias, y, accumulate: false);

    // y (M, N) = x (M, K) W^T + b, or +=
    private void MatMul(Tensor x, Tensor weight, Tensor? bias, Tensor y, bool accumulate)
    {
        switch (x.DType, y.DType)
        {
            case (DType.F32, _):
                MatMul<Float32, Float32>(x, weight, bias, y, accumulate);
                break;
            case (_, DType.F32):
                MatMul<BFloat16, Float32>(x, weight, bias, y, accumulate);
                break;
            default:
                MatMul<BFloat16, BFloat16>(x, weight, bias, y, accumulate);
                break;
        }
    }

    private protected override void MatMulBackwardInputCore(Tensor dy, Tensor weight, Tensor dx, bool accumulate)
    {
        if (dy.DType == DType.BF16)
            MatMulBackwardInput<BFloat16>(dy, weight, dx, accumulate);
        else
            MatMulBackwardInput<Float32>(dy, weight, dx, accumulate);
    }

    private protected override void MatMulBackwardWeightCore(
        Tensor dy, Tensor x, Tensor dWeight, Tensor? dBias, bool accumulate)
    {
        if (dy.DType == DType.BF16)
            MatMulBackwardWeight<BFloat16>(dy, x, dWeight, dBias, accumulate);
        else
            MatMulBackwardWeight<Float32>(dy, x, dWeight, dBias, accumulate);
    }

    private void MatMul<T, TY>(Tensor x, Tensor weight, Tensor? bias, Tensor y, bool accumulate)
        where T : unmanaged, IElement<T> where TY : unmanaged, IElement<TY>
    {
        int m = x.Shape[0], k = x.Shape[1], n = weight.Shape[0];
        if (m <= MaxRowsOfMatVec)
        {
            Launch(Groups(Items(m, XRowsOfGroup), Items(n, WeightRowsOfGroup)), MatVecKernel,
                View<T>(x), View<T>(weight), View<float>(bias), View<TY>(y), m, n, k, accumulate ? 1 : 0);
            return;
        }

        var contiguous = OperandLayout.DepthContiguous(k);
        Multiply(m, n, k, View<T>(x), contiguous, View<T>(weight), contiguous, View<float>(bias), View<TY>(y),
            accumulate);
    }

    // dx (M, K) = dy (M, N) W
    private void MatMulBackwardInput<T>(Tensor dy, Tensor weight, Tensor dx, bool accumulate)
        where T : unmanaged, IElement<T>
    {
        int m = dy.Shape[0], n = dy.Shape[1], k = weight.Shape[1];
        Multiply(m, k, n,
            View<T>(dy), OperandLayout.DepthContiguous(n), View<T>(weight), OperandLayout.LineContiguous(k),
            ArrayView<float>.Empty, View<T>(dx), accumulate);
    }

    // dW (N, K) = or += dy^T (N, M) x (M, K);  db (N) += column sums of dy
    private void MatMulBackwardWeight<T>(Tensor dy, Tensor x, Tensor dWeight, Tensor? dBias, bool accumulate)
        where T : unmanaged, IElement<T>
    {
        int m = dy.Shape[0], n = dy.Shape[1], k = x.Shape[1];
        Multiply(n, k, m,
            View<T>(dy), OperandLayout.LineContiguous(n), View<T>(x), OperandLayout.LineContiguous(k),
            ArrayView<float>.Empty, View<Float32>(dWeight),
            accumulate);
        if (dBias is { } sums)
            ColumnSums(View<T>(dy), m, n, Floats(sums), startsAtFour: dy.Offset % 4 == 0);
    }

    // A handful of rows, as in decoding: tiles would be mostly empty. A group has some rows of the weights, 32 threads
    // each, and up to four rows of x.
    private const int MaxRowsOfMatVec = 8, XRowsOfGroup = 4, LanesOfRow = 32,
        WeightRowsOfGroup = GroupSize / LanesOfRow;

    [Kernel(GroupSize, Hot = true)]
    private static void MatVecKernel<T, TY>(ArrayView<T> x, ArrayView<T> weight, ArrayView<float> bias, ArrayView<TY> y,
        int m, int n, int k, int accumulate)
        where T : unmanaged, IElement<T> where TY : unmanaged, IElement<TY>
    {
        // The padding keeps the threads that add up different rows in different banks.
        const int lanes = LanesOfRow + 1;
        var ofThreads = SharedMemory.Allocate<float>(XRowsOfGroup * WeightRowsOfGroup * lanes);
        int lane = Group.IdxX % LanesOfRow, weightRow = Group.IdxX / LanesOfRow;
        int xFirst = Grid.IdxX * XRowsOfGroup, weightFirst = Grid.IdxY * WeightRowsOfGroup;
        Float4 sums = default;
        if (weightFirst + weightRow < n)
            sums = DotsOfRow(x, xFirst, m, weight, (weightFirst + weightRow) * k, k, lane);

        int place = weightRow * lanes + lane;
        ofThreads[place] = sums.X;
        ofThreads[place + WeightRowsOfGroup * lanes] = sums.Y;
        ofThreads[place + 2 * WeightRowsOfGroup * lanes] = sums.Z;
        ofThreads[place + 3 * WeightRowsOfGroup * lanes] = sums.W;
        Group.Barrier();

        int row = xFirst + Group.IdxX / WeightRowsOfGroup, column = weightFirst + Group.IdxX % WeightRowsOfGroup;
        if (Group.IdxX >= XRowsOfGroup * WeightRowsOfGroup || row >= m || column >= n)
            return;
        float total = 0;
        for (int i = 0; i < LanesOfRow; i++)
            total += ofThreads[Group.IdxX * lanes + i];
        Finish(y, row * n + column, total, bias, column, accumulate);
    }

    // A lane's share of the dot products of a weight row with four rows of x.
    private static Float4 DotsOfRow<T>(ArrayView<T> x, int xFirst, int m, ArrayView<T> weight, int weightStart, int k,
        int lane) where T : unmanaged, IElement<T>
    {
        Float4 sums = default;
        int i = lane;
        for (; i + 3 * LanesOfRow < k; i += 4 * LanesOfRow)
        {
            // All loads from memory first: a device waits for four as long as for one.
            float w0 = weight[weightStart + i].ToFloat(), w1 = weight[weightStart + i + LanesOfRow].ToFloat();
            float w2 = weight[weightStart + i + 2 * LanesOfRow].ToFloat(),
                w3 = weight[weightStart + i + 3 * LanesOfRow].ToFloat();
            sums = sums.PlusProduct(w0, ColumnOfRows(x, xFirst, m, k, i))
                .PlusProduct(w1, ColumnOfRows(x, xFirst, m, k, i + LanesOfRow))
                .PlusProduct(w2, ColumnOfRows(x, xFirst, m, k, i + 2 * LanesOfRow))
                .PlusProduct(w3, ColumnOfRows(x, xFirst, m, k, i + 3 * LanesOfRow));
        }

        for (; i < k; i += LanesOfRow)
            sums = sums.PlusProduct(weight[weightStart + i].ToFloat(), ColumnOfRows(x, xFirst, m, k, i));
        return sums;
    }

    // x[first, column] to x[first + 3, column]; zeros for rows that are not there.
    private static Float4 ColumnOfRows<T>(ArrayView<T> x, int first, int m, int k, int column)
        where T : unmanaged, IElement<T>
    {
        int place = first * k + column;
        return new Float4(
            x[place].ToFloat(),
            first + 1 < m ? x[place + k].ToFloat() : 0,
            first + 2 < m ? x[place + 2 * k].ToFloat() : 0,
            first + 3 < m ? x[place + 3 * k].ToFloat() : 0);
    }
}
