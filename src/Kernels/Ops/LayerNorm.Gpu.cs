using System.Runtime.CompilerServices;
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
        Launch(EachRow(rows, c), LayerNormKernel, View<T>(x), View<Float32>(weight), View<Float32>(bias), View<T>(y), Floats(mean), Floats(rstd), epsilon, ThreadsOfRow(c), packed);
    }

    private void LayerNormBackward<T>(Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx, Tensor dWeight, Tensor dBias) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], packed = FourElements.FitRows(dy) && FourElements.FitRows(x) && FourElements.FitRows(dx) ? 1 : 0;

        // The sums first: dx may lie where dy does.
        AddNormGradients<T>(dy, x, mean, rstd, dWeight, dBias);
        Launch(EachRow(rows, c), LayerNormBackwardKernel, View<T>(dy), View<T>(x), View<Float32>(weight), Floats(mean), Floats(rstd), View<T>(dx), ThreadsOfRow(c), packed);
    }

    [Kernel(GroupSize)]
    private static void LayerNormKernel<T>(ArrayView<T> x, ArrayView<Float32> weight, ArrayView<Float32> bias, ArrayView<T> y, ArrayView<float> mean, ArrayView<float> rstd,
        float epsilon, Lanes threads, int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        if (packed != 0)
            LayerNormRow<T, Fours>(x, weight, bias, y, mean, rstd, epsilon, threads, shared);
        else
            LayerNormRow<T, AnyPlaces>(x, weight, bias, y, mean, rstd, epsilon, threads, shared);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LayerNormRow<T, TPlaces>(ArrayView<T> x, ArrayView<Float32> weight, ArrayView<Float32> bias, ArrayView<T> y, ArrayView<float> mean, ArrayView<float> rstd,
        float epsilon, Lanes threads, ArrayView<float> shared) where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        int c = weight.IntLength, row = Grid.IdxX * threads.Lines + threads.Line, first = 4 * threads.Lane, place = row * c;
        int end = row < rstd.IntLength ? c : 0; // threads without a row go along to the barriers
        Float4 sum = default;
        for (int i = first; i < end; i += 4 * threads.Count)
            sum += FourElements.Load<T, TPlaces>(x, place + i, end - i);
        float average = GroupReduction.Sum(sum.Sum, shared, threads.Count) / c;

        // The variance in a second pass over the cached row: E[x^2] - E[x]^2 would cancel. Zeros behind the end of a row are not at its average.
        Float4 squares = default;
        for (int i = first; i < end; i += 4 * threads.Count)
        {
            var difference = FourElements.Load<T, TPlaces>(x, place + i, end - i) - average;
            squares += (difference * difference).First(end - i);
        }

        float scale = 1 / XMath.Sqrt(GroupReduction.Sum(squares.Sum, shared, threads.Count) / c + epsilon);
        for (int i = first; i < end; i += 4 * threads.Count)
        {
            var normed = (FourElements.Load<T, TPlaces>(x, place + i, end - i) - average) * scale;
            var weights = FourElements.Load<Float32, TPlaces>(weight, i, end - i);
            FourElements.Store<T, TPlaces>(y, place + i, end - i, normed * weights + FourElements.Load<Float32, TPlaces>(bias, i, end - i));
        }

        if (first == 0 && end > 0)
        {
            mean[row] = average;
            rstd[row] = scale;
        }
    }

    [Kernel(GroupSize)]
    private static void LayerNormBackwardKernel<T>(ArrayView<T> dy, ArrayView<T> x, ArrayView<Float32> weight, ArrayView<float> mean, ArrayView<float> rstd, ArrayView<T> dx, Lanes threads,
        int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        if (packed != 0)
            LayerNormBackwardRow<T, Fours>(dy, x, weight, mean, rstd, dx, threads, shared);
        else
            LayerNormBackwardRow<T, AnyPlaces>(dy, x, weight, mean, rstd, dx, threads, shared);
    }

    // The weight is zero behind the end of a row, so that g is too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LayerNormBackwardRow<T, TPlaces>(ArrayView<T> dy, ArrayView<T> x, ArrayView<Float32> weight, ArrayView<float> mean, ArrayView<float> rstd, ArrayView<T> dx,
        Lanes threads, ArrayView<float> shared) where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        int c = weight.IntLength, row = Grid.IdxX * threads.Lines + threads.Line, first = 4 * threads.Lane, place = row * c;
        bool exists = row < rstd.IntLength;
        int end = exists ? c : 0;
        float average = exists ? mean[row] : 0, scale = exists ? rstd[row] : 0;
        Float4 sumG = default, sumGn = default;
        for (int i = first; i < end; i += 4 * threads.Count)
        {
            var g = FourElements.Load<T, TPlaces>(dy, place + i, end - i) * FourElements.Load<Float32, TPlaces>(weight, i, end - i);
            sumG += g;
            sumGn += g * (FourElements.Load<T, TPlaces>(x, place + i, end - i) - average);
        }

        float averageG = GroupReduction.Sum(sumG.Sum, shared, threads.Count) / c, averageGn = GroupReduction.Sum(sumGn.Sum, shared, threads.Count) * scale / c;
        for (int i = first; i < end; i += 4 * threads.Count)
        {
            int count = end - i;
            var g = FourElements.Load<T, TPlaces>(dy, place + i, count) * FourElements.Load<Float32, TPlaces>(weight, i, count);
            var n = (FourElements.Load<T, TPlaces>(x, place + i, count) - average) * scale;
            var before = FourElements.Load<T, TPlaces>(dx, place + i, count);
            FourElements.Store<T, TPlaces>(dx, place + i, count, before + (g - averageG - n * averageGn) * scale);
        }
    }
}
