using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void LayerNormCore(
        Tensor x, Tensor weight, Tensor bias, Tensor y, Tensor mean, Tensor rstd, float epsilon)
    {
        if (x.DType == DType.BF16)
            LayerNorm<BFloat16>(x, weight, bias, y, mean, rstd, epsilon);
        else
            LayerNorm<Float32>(x, weight, bias, y, mean, rstd, epsilon);
    }

    private protected override void LayerNormBackwardCore(
        Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx, Tensor? dWeight, Tensor? dBias)
    {
        if (x.DType == DType.BF16)
            LayerNormBackward<BFloat16>(dy, x, weight, mean, rstd, dx, dWeight, dBias);
        else
            LayerNormBackward<Float32>(dy, x, weight, mean, rstd, dx, dWeight, dBias);
    }

    private void LayerNorm<T>(Tensor x, Tensor weight, Tensor bias, Tensor y, Tensor mean, Tensor rstd, float epsilon)
        where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], packed = FourElements.FitRows(x) && FourElements.FitRows(y) ? 1 : 0;
        Launch(EachRow(rows, c), LayerNormKernel, View<T>(x), View<Float32>(weight), View<Float32>(bias), View<T>(y),
            Floats(mean), Floats(rstd), epsilon, ThreadsOfRow(c), packed);
    }

    private void LayerNormBackward<T>(
        Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx, Tensor? dWeight, Tensor? dBias)
        where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], packed = FourElements.FitRows(dy) && FourElements.FitRows(x)
            && FourElements.FitRows(dx) ? 1 : 0;

        // The sums first: dx may lie where dy does.
        if (dWeight is { } sums)
            AddNormGradients<T>(dy, x, mean, rstd, sums, dBias);
        Launch(EachRow(rows, c), LayerNormBackwardKernel,
            View<T>(dy), View<T>(x), View<Float32>(weight), Floats(mean), Floats(rstd), View<T>(dx), ThreadsOfRow(c),
            packed);
    }

    [Kernel(GroupSize)]
    private static void LayerNormKernel<T>(
        ArrayView<T> x, ArrayView<Float32> weight, ArrayView<Float32> bias, ArrayView<T> y, ArrayView<float> mean,
        ArrayView<float> rstd,
        float epsilon, Lanes threads, int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * threads.Lines + threads.Line, first = 4 * threads.Lane,
            step = 4 * threads.Count, place = row * c;
        int end = row < rstd.IntLength ? c : 0; // threads without a row go along to the barriers
        float sum = packed != 0 ? SumOfRow<T, Fours>(x, place, first, end, step)
            : SumOfRow<T, AnyPlaces>(x, place, first, end, step);
        float average = GroupReduction.Sum(sum, shared, threads.Count) / c;

        // The variance in a second pass over the cached row: E[x^2] - E[x]^2 would cancel.
        float squares = packed != 0 ? SquaresOfRow<T, Fours>(x, place, first, end, step, average)
            : SquaresOfRow<T, AnyPlaces>(x, place, first, end, step, average);
        float scale = 1 / XMath.Sqrt(GroupReduction.Sum(squares, shared, threads.Count) / c + epsilon);
        if (packed != 0)
            WriteLayerNorm<T, Fours>(x, weight, bias, y, place, first, end, step, average, scale);
        else
            WriteLayerNorm<T, AnyPlaces>(x, weight, bias, y, place, first, end, step, average, scale);

        if (first == 0 && end > 0)
        {
            mean[row] = average;
            rstd[row] = scale;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float SumOfRow<T, TPlaces>(ArrayView<T> x, int place, int first, int end, int step)
        where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        Float4 sum = default;
        for (int i = first; i < end; i += step)
            sum += FourElements.Load<T, TPlaces>(x, place + i, end - i);
        return sum.Sum;
    }

    // About the average. Zeros behind the end of a row are not at it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float SquaresOfRow<T, TPlaces>(ArrayView<T> x, int place, int first, int end, int step,
        float average)
        where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        Float4 squares = default;
        for (int i = first; i < end; i += step)
        {
            var difference = FourElements.Load<T, TPlaces>(x, place + i, end - i) - average;
            squares += (difference * difference).First(end - i);
        }

        return squares.Sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteLayerNorm<T,
        TPlaces>(ArrayView<T> x, ArrayView<Float32> weight, ArrayView<Float32> bias, ArrayView<T> y, int place,
            int first, int end, int step,
            float average, float scale) where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        for (int i = first; i < end; i += step)
        {
            var normed = (FourElements.Load<T, TPlaces>(x, place + i, end - i) - average) * scale;
            var weights = FourElements.Load<Float32, TPlaces>(weight, i, end - i);
            FourElements.Store<T, TPlaces>(
                y, place + i, end - i, normed * weights + FourElements.Load<Float32, TPlaces>(bias, i, end - i));
        }
    }

    [Kernel(GroupSize)]
    private static void LayerNormBackwardKernel<T>(
        ArrayView<T> dy, ArrayView<T> x, ArrayView<Float32> weight, ArrayView<float> mean, ArrayView<float> rstd,
        ArrayView<T> dx, Lanes threads,
        int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * threads.Lines + threads.Line, first = 4 * threads.Lane,
            step = 4 * threads.Count, place = row * c;
        bool exists = row < rstd.IntLength;
        int end = exists ? c : 0;
        float average = exists ? mean[row] : 0, scale = exists ? rstd[row] : 0;
        Float4 sumG = default, sumGn = default;
        if (packed != 0)
            SumLayerNormGradients<T, Fours>(dy, x, weight, place, first, end, step, average, ref sumG, ref sumGn);
        else
            SumLayerNormGradients<T, AnyPlaces>(dy, x, weight, place, first, end, step, average, ref sumG, ref sumGn);

        float averageG = GroupReduction.Sum(sumG.Sum, shared, threads.Count) / c,
            averageGn = GroupReduction.Sum(sumGn.Sum, shared, threads.Count) * scale / c;
        if (packed != 0)
        {
            AddLayerNormGradient<T, Fours>(
                dy, x, weight, dx, place, first, end, step, average, scale, averageG, averageGn);
        }
        else
        {
            AddLayerNormGradient<T, AnyPlaces>(
                dy, x, weight, dx, place, first, end, step, average, scale, averageG, averageGn);
        }
    }

    // g = dy weight. The weight is zero behind the end of a row, so that g is too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SumLayerNormGradients<T, TPlaces>(ArrayView<T> dy, ArrayView<T> x, ArrayView<Float32> weight,
        int place, int first, int end, int step, float average,
        ref Float4 sumG, ref Float4 sumGn) where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        for (int i = first; i < end; i += step)
        {
            var g = FourElements.Load<T, TPlaces>(dy, place + i, end - i)
                * FourElements.Load<Float32, TPlaces>(weight, i, end - i);
            sumG += g;
            sumGn += g * (FourElements.Load<T, TPlaces>(x, place + i, end - i) - average);
        }
    }

    // dx += (g - mean(g) - n mean(g n)) rstd, n = (x - mean) rstd
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddLayerNormGradient<T,
        TPlaces>(ArrayView<T> dy, ArrayView<T> x, ArrayView<Float32> weight, ArrayView<T> dx, int place, int first,
            int end, int step,
            float average, float scale, float averageG, float averageGn) where T : unmanaged, IElement<T>
        where TPlaces : unmanaged, IPlaces
    {
        for (int i = first; i < end; i += step)
        {
            int count = end - i;
            var g = FourElements.Load<T, TPlaces>(dy, place + i, count)
                * FourElements.Load<Float32, TPlaces>(weight, i, count);
            var n = (FourElements.Load<T, TPlaces>(x, place + i, count) - average) * scale;
            var before = FourElements.Load<T, TPlaces>(dx, place + i, count);
            FourElements.Store<T, TPlaces>(dx, place + i, count, before + (g - averageG - n * averageGn) * scale);
        }
    }
}
