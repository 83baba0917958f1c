using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>Gradients of a norm's weight and bias: sums over all rows.</summary>
internal sealed partial class GpuBackend
{
    // Rows of one part: enough to be worth a group, and few enough for about as many groups as fill a large device twice.
    private const int SmallestNormPart = 64, NormGroups = 2048;

    /// <summary>
    /// dWeight += sum over rows of dy (x - mean) rstd, dBias += sum over rows of dy, where there are a mean and a bias. Parts of fixed size are summed first, and
    /// the parts added in order.
    /// </summary>
    private void AddNormGradients<T>(Tensor dy, Tensor x, Tensor? mean, Tensor rstd, Tensor dWeight, Tensor? dBias) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], blocks = Items(c, ColumnsOfGroup);
        int perPart = Math.Max(SmallestNormPart, Items((long)rows * blocks, NormGroups)), parts = Items(rows, perPart);
        long size = (long)parts * c;
        var scratch = Scratch<float>(ScratchRows, 2 * size);
        ArrayView<float> weightParts = scratch.SubView(0, size), biasParts = dBias is null ? ArrayView<float>.Empty : scratch.SubView(size, size);
        Launch(new KernelConfig(parts * blocks, GroupSize), NormPartsKernel, View<T>(dy), Rows.Of(dy), View<T>(x), Rows.Of(x), View<float>(mean), Floats(rstd), weightParts, biasParts, c, perPart);
        ColumnSums(weightParts.Cast<Float32>(), parts, c, Floats(dWeight));
        if (dBias is { } bias)
            ColumnSums(biasParts.Cast<Float32>(), parts, c, Floats(bias));
    }

    [Kernel(GroupSize)]
    private static void NormPartsKernel<T>(ArrayView<T> dy, Rows dyRows, ArrayView<T> x, Rows xRows, ArrayView<float> mean, ArrayView<float> rstd,
        ArrayView<float> weightParts, ArrayView<float> biasParts, int c, int perPart) where T : unmanaged, IElement<T>
    {
        var slices = SharedMemory.Allocate<float>(GroupSize);
        int blocks = (c + ColumnsOfGroup - 1) / ColumnsOfGroup, part = Grid.IdxX / blocks;
        int column = Grid.IdxX % blocks * ColumnsOfGroup + Group.IdxX % ColumnsOfGroup, slice = Group.IdxX / ColumnsOfGroup;
        int first = part * perPart, end = column < c ? XMath.Min(first + perPart, rstd.IntLength) : first;
        float weight = 0, bias = 0;
        for (int row = first + slice; row < end; row += RowsAtOnce)
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

    // The sum over the threads of one column, for all of them.
    private static float SumOfSlices(float value, ArrayView<float> slices)
    {
        slices[Group.IdxX] = value;
        Group.Barrier();
        float sum = 0;
        for (int i = Group.IdxX % ColumnsOfGroup; i < GroupSize; i += ColumnsOfGroup)
            sum += slices[i];
        Group.Barrier(); // all have read before the next sum
        return sum;
    }
}
