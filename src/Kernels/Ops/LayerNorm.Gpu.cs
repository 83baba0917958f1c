using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void LayerNormCore(Tensor x, Tensor weight, Tensor bias, Tensor y, Tensor mean, Tensor rstd, float epsilon)
    {
        if (x.DType == DType.BF16)
            LayerNorm<BFloat16>(x, weight, bias, y, mean, rstd, epsilon);
        else
            LayerNorm<Float32>(x, weight, bias, y, mean, rstd, epsilon);
    }

    private protected override void LayerNormBackwardCore(Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx, Tensor dWeight, Tensor dBias)
    {
        if (x.DType == DType.BF16)
            LayerNormBackward<BFloat16>(dy, x, weight, mean, rstd, dx, dWeight, dBias);
        else
            LayerNormBackward<Float32>(dy, x, weight, mean, rstd, dx, dWeight, dBias);
    }

    private void LayerNorm<T>(Tensor x, Tensor weight, Tensor bias, Tensor y, Tensor mean, Tensor rstd, float epsilon) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], packed = FourElements.FitRows(x) && FourElements.FitRows(y) ? 1 : 0;
        Launch(EachRow(rows, c), LayerNormKernel, View<T>(x), View<Float32>(weight), View<Float32>(bias), View<T>(y), Floats(mean), Floats(rstd), epsilon, ThreadsPerRow(c), packed);
    }

    private void LayerNormBackward<T>(Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx, Tensor dWeight, Tensor dBias) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], packed = FourElements.FitRows(dy) && FourElements.FitRows(x) && FourElements.FitRows(dx) ? 1 : 0;

        // The sums first: dx may lie where dy does.
        AddNormGradients<T>(dy, x, mean, rstd, dWeight, dBias);
        Launch(EachRow(rows, c), LayerNormBackwardKernel, View<T>(dy), View<T>(x), View<Float32>(weight), Floats(mean), Floats(rstd), View<T>(dx), ThreadsPerRow(c), packed);
    }

    [Kernel(GroupSize)]
    private static void LayerNormKernel<T>(ArrayView<T> x, ArrayView<Float32> weight, ArrayView<Float32> bias, ArrayView<T> y, ArrayView<float> mean, ArrayView<float> rstd,
        float epsilon, int threads, int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * (GroupSize / threads) + Group.IdxX / threads, first = 4 * (Group.IdxX % threads), place = row * c;
        int end = row < rstd.IntLength ? c : 0; // threads without a row go along to the barriers
        Float4 sum = default;
        for (int i = first; i < end; i += 4 * threads)
            sum += FourElements.Load(x, place + i, end - i, packed);
        float average = GroupReduction.Sum(sum.Sum, shared, threads) / c;

        // The variance in a second pass over the cached row: E[x^2] - E[x]^2 would cancel. Zeros behind the end of a row are not at its average.
        Float4 squares = default;
        for (int i = first; i < end; i += 4 * threads)
        {
            var difference = FourElements.Load(x, place + i, end - i, packed) - average;
            squares += (difference * difference).First(end - i);
        }

        float scale = 1 / XMath.Sqrt(GroupReduction.Sum(squares.Sum, shared, threads) / c + epsilon);
        for (int i = first; i < end; i += 4 * threads)
        {
            var normed = (FourElements.Load(x, place + i, end - i, packed) - average) * scale;
            FourElements.Store(y, place + i, end - i, packed, normed * FourElements.Load(weight, i, end - i, packed) + FourElements.Load(bias, i, end - i, packed));
        }

        if (first == 0 && end > 0)
        {
            mean[row] = average;
            rstd[row] = scale;
        }
    }

    // The weight is zero behind the end of a row, so that g is too.
    [Kernel(GroupSize)]
    private static void LayerNormBackwardKernel<T>(ArrayView<T> dy, ArrayView<T> x, ArrayView<Float32> weight, ArrayView<float> mean, ArrayView<float> rstd, ArrayView<T> dx, int threads,
        int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * (GroupSize / threads) + Group.IdxX / threads, first = 4 * (Group.IdxX % threads), place = row * c;
        bool exists = row < rstd.IntLength;
        int end = exists ? c : 0;
        float average = exists ? mean[row] : 0, scale = exists ? rstd[row] : 0;
        Float4 sumG = default, sumGn = default;
        for (int i = first; i < end; i += 4 * threads)
        {
            var g = FourElements.Load(dy, place + i, end - i, packed) * FourElements.Load(weight, i, end - i, packed);
            sumG += g;
            sumGn += g * (FourElements.Load(x, place + i, end - i, packed) - average);
        }

        float averageG = GroupReduction.Sum(sumG.Sum, shared, threads) / c, averageGn = GroupReduction.Sum(sumGn.Sum, shared, threads) * scale / c;
        for (int i = first; i < end; i += 4 * threads)
        {
            int count = end - i;
            var g = FourElements.Load(dy, place + i, count, packed) * FourElements.Load(weight, i, count, packed);
            var n = (FourElements.Load(x, place + i, count, packed) - average) * scale;
            FourElements.Store(dx, place + i, count, packed, FourElements.Load(dx, place + i, count, packed) + (g - averageG - n * averageGn) * scale);
        }
    }
}
