using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>Gradients of a norm's weight and bias: sums over all rows.</summary>
internal sealed partial class GpuBackend
{
    // Rows of one part: enough to be worth a group, and few enough for about as many groups as fill a large device
    // twice.
    private const int SmallestNormPart = 64, NormGroups = 2048, MaxNormParts = 512;

    /// <summary>
    /// dWeight += sum over rows of dy (x - mean) rstd, dBias += sum over rows of dy, where there are a mean and a bias.
    /// Parts of fixed size are summed first, and the parts added in order.
    /// </summary>
    private void AddNormGradients<T>(Tensor dy, Tensor x, Tensor? mean, Tensor rstd, Tensor dWeight, Tensor? dBias)
        where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1];
        var lanes = LanesOfColumns(c);
        int blocks = Items(c, 4 * lanes.Count);
        int perPart = Math.Max(
            SmallestNormPart, Math.Max(Items((long)rows * blocks, NormGroups), Items(rows, MaxNormParts))),
            parts = Items(rows, perPart), packed = FourElements.FitRows(dy) && FourElements.FitRows(x) ? 1 : 0;
        long size = (long)parts * c;
        var scratch = Scratch<float>(ScratchRows, 2 * size);
        ArrayView<float> weightParts = scratch.SubView(0, size), biasParts = dBias is null ? ArrayView<float>.Empty
            : scratch.SubView(size, size);
        Launch(Groups(blocks, parts), NormPartsKernel,
            View<T>(dy), Rows.Of(dy), View<T>(x), Rows.Of(x), View<float>(mean), Floats(rstd), weightParts, biasParts,
            c, perPart,
            lanes, packed);
        Launch(Groups(blocks, dBias is null ? 1 : 2), AddNormPartsKernel,
            weightParts.Cast<Float32>(), biasParts.Cast<Float32>(), parts, c, lanes, Floats(dWeight), View<float>(
                dBias),
            c % 4 == 0 ? 1 : 0);
    }

    [Kernel(GroupSize)]
    private static void NormPartsKernel<T>(
        ArrayView<T> dy, Rows dyRows, ArrayView<T> x, Rows xRows, ArrayView<float> mean, ArrayView<float> rstd,
        ArrayView<float> weightParts, ArrayView<float> biasParts, int c, int perPart, Lanes lanes, int packed)
        where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(4 * GroupSize);
        int width = 4 * lanes.Count, part = Grid.IdxY, block = Grid.IdxX * width, column = block + 4 * lanes.Lane,
            count = c - column;
        int first = part * perPart, end = count > 0 ? XMath.Min(first + perPart, rstd.IntLength)
            : first, step = lanes.Lines;
        first += lanes.Line;
        Float4 weight = default, bias = default;
        if (packed != 0)
        {
            SumNormRows<T, Fours>(
                dy, dyRows, x, xRows, mean, rstd, first, end, step, column, count, ref weight, ref bias);
        }
        else
        {
            SumNormRows<T, AnyPlaces>(
                dy, dyRows, x, xRows, mean, rstd, first, end, step, column, count, ref weight, ref bias);
        }

        float weightSum = SumOfSlices(weight, shared, width), biasSum = SumOfSlices(bias, shared, width);
        column = block + Group.IdxX;
        if (Group.IdxX >= width || column >= c)
            return;
        weightParts[part * c + column] = weightSum;
        if (biasParts.IntLength > 0)
            biasParts[part * c + column] = biasSum;
    }

    // The first groups add up the parts of the weight's gradient, the second those of the bias's.
    [Kernel(GroupSize)]
    private static void AddNormPartsKernel(
        ArrayView<Float32> weightParts, ArrayView<Float32> biasParts, int parts, int c, Lanes lanes,
        ArrayView<float> dWeight, ArrayView<float> dBias, int packed)
    {
        var shared = SharedMemory.Allocate<float>(4 * GroupSize);
        int width = 4 * lanes.Count, column = Grid.IdxX * width + 4 * lanes.Lane, count = c - column, end = count > 0
            ? parts : 0;
        var x = Grid.IdxY == 0 ? weightParts : biasParts;
        var sum = packed != 0 ? SumOfRows<Float32, Fours>(x, lanes.Line, end, lanes.Lines, c, column, count)
            : SumOfRows<Float32, AnyPlaces>(x, lanes.Line, end, lanes.Lines, c, column, count);
        float total = SumOfSlices(sum, shared, width);
        column = Grid.IdxX * width + Group.IdxX;
        if (Group.IdxX >= width || column >= c)
            return;
        if (Grid.IdxY == 0)
            dWeight[column] += total;
        else
            dBias[column] += total;
    }

    // Two rows at once, so that four loads are under way.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SumNormRows<T,
        TPlaces>(ArrayView<T> dy, Rows dyRows, ArrayView<T> x, Rows xRows, ArrayView<float> mean, ArrayView<float> rstd,
            int first, int end, int step,
            int column, int count, ref Float4 weight, ref Float4 bias) where T : unmanaged, IElement<T>
        where TPlaces : unmanaged, IPlaces
    {
        bool centered = mean.IntLength > 0;
        int row = first;
        for (; row + step < end; row += 2 * step)
        {
            int next = row + step;
            Float4 d = FourElements.Load<T, TPlaces>(dy, dyRows.At(row) + column, count),
                d2 = FourElements.Load<T, TPlaces>(dy, dyRows.At(next) + column, count);
            Float4 v = FourElements.Load<T, TPlaces>(x, xRows.At(row) + column, count),
                v2 = FourElements.Load<T, TPlaces>(x, xRows.At(next) + column, count);
            weight += d * ((v - (centered ? mean[row] : 0f)) * rstd[row])
                + d2 * ((v2 - (centered ? mean[next] : 0f)) * rstd[next]);
            bias += d + d2;
        }

        if (row < end)
        {
            var d = FourElements.Load<T, TPlaces>(dy, dyRows.At(row) + column, count);
            weight += d * ((FourElements.Load<T, TPlaces>(x, xRows.At(row) + column, count)
                - (centered ? mean[row] : 0f)) * rstd[row]);
            bias += d;
        }
    }
}
