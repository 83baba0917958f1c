using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>Gradients of a norm's weight and bias: sums over all rows.</summary>
internal sealed partial class GpuBackend
{
    // A group works at a block of columns, with as many slices of rows as it has threads left.
    private const int ColumnBlock = 32, RowSlices = GroupSize / ColumnBlock;

    // Rows of one part: enough to be worth a group, and few enough for about as many groups as fill a large device twice.
    private const int SmallestNormPart = 64, NormGroups = 2048;

    /// <summary>
    /// dWeight += sum over rows of dy (x - mean) rstd, dBias += sum over rows of dy, where there are a mean and a bias. Parts of fixed size are summed first, and
    /// the parts added in order.
    /// </summary>
    private void AddNormGradients<T>(Tensor dy, Tensor x, Tensor? mean, Tensor rstd, Tensor dWeight, Tensor? dBias) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], blocks = Items(c, ColumnBlock);
        int perPart = Math.Max(SmallestNormPart, Items((long)rows * blocks, NormGroups)), parts = Items(rows, perPart);
        var scratch = Scratch<float>(ScratchPartials, 2L * parts * c);
        ArrayView<float> weightParts = scratch.SubView(0, (long)parts * c), biasParts = dBias is null ? ArrayView<float>.Empty : scratch.SubView((long)parts * c, (long)parts * c);
        Launch(new KernelConfig(parts * blocks, GroupSize), NormPartsKernel, View<T>(dy), Rows.Of(dy), View<T>(x), Rows.Of(x), View<float>(mean), Floats(rstd), weightParts, biasParts, c, perPart);
        Launch(new KernelConfig(blocks, GroupSize), AddPartsKernel, weightParts, parts, Floats(dWeight));
        if (dBias is { } bias)
            Launch(new KernelConfig(blocks, GroupSize), AddPartsKernel, biasParts, parts, Floats(bias));
    }

    [Kernel(GroupSize)]
    private static void NormPartsKernel<T>(ArrayView<T> dy, Rows dyRows, ArrayView<T> x, Rows xRows, ArrayView<float> mean, ArrayView<float> rstd,
        ArrayView<float> weightParts, ArrayView<float> biasParts, int c, int perPart) where T : unmanaged, IElement<T>
    {
        var slices = SharedMemory.Allocate<float>(GroupSize);
        int blocks = (c + ColumnBlock - 1) / ColumnBlock, part = Grid.IdxX / blocks;
        int column = Grid.IdxX % blocks * ColumnBlock + Group.IdxX % ColumnBlock, slice = Group.IdxX / ColumnBlock;
        int first = part * perPart, end = column < c ? XMath.Min(first + perPart, rstd.IntLength) : first;
        float weight = 0, bias = 0;
        for (int row = first + slice; row < end; row += RowSlices)
        {
            float d = dy[dyRows.At(row) + column].ToFloat(), center = mean.IntLength > 0 ? mean[row] : 0;
            weight += d * (x[xRows.At(row) + column].ToFloat() - center) * rstd[row];
            bias += d;
        }

        weight = SumOfSlices(weight, slices);
        bias = SumOfSlices(bias, slices);
        if (slice == 0 && column < c)
        {
            weightParts[part * c + column] = weight;
            if (biasParts.IntLength > 0)
                biasParts[part * c + column] = bias;
        }
    }

    [Kernel(GroupSize)]
    private static void AddPartsKernel(ArrayView<float> parts, int count, ArrayView<float> sum)
    {
        var slices = SharedMemory.Allocate<float>(GroupSize);
        int c = sum.IntLength, column = Grid.IdxX * ColumnBlock + Group.IdxX % ColumnBlock, slice = Group.IdxX / ColumnBlock;
        float total = 0;
        for (int part = slice; part < count && column < c; part += RowSlices)
            total += parts[part * c + column];
        total = SumOfSlices(total, slices);
        if (slice == 0 && column < c)
            sum[column] += total;
    }

    // The sum over the threads of one column, for all of them.
    private static float SumOfSlices(float value, ArrayView<float> slices)
    {
        slices[Group.IdxX] = value;
        Group.Barrier();
        float sum = 0;
        for (int i = Group.IdxX % ColumnBlock; i < GroupSize; i += ColumnBlock)
            sum += slices[i];
        Group.Barrier(); // all have read before the next sum
        return sum;
    }
}
