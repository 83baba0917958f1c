using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void RmsNormCore(Tensor x, Tensor weight, Tensor y, Tensor rstd, float epsilon)
    {
        if (x.DType == DType.BF16)
            RmsNorm<BFloat16>(x, weight, y, rstd, epsilon);
        else
            RmsNorm<Float32>(x, weight, y, rstd, epsilon);
    }

    private protected override void RmsNormBackwardCore(
        Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Tensor? dWeight, bool accumulate)
    {
        if (x.DType == DType.BF16)
            RmsNormBackward<BFloat16>(dy, x, weight, rstd, dx, dWeight, accumulate);
        else
            RmsNormBackward<Float32>(dy, x, weight, rstd, dx, dWeight, accumulate);
    }

    private void RmsNorm<T>(Tensor x, Tensor weight, Tensor y, Tensor rstd, float epsilon)
        where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], packed = FourElements.FitRows(x) && FourElements.FitRows(y) ? 1 : 0;
        Launch(EachRow(rows, c), RmsNormKernel, View<T>(x), Rows.Of(x), View<Float32>(weight), View<T>(y), Rows.Of(y),
            Floats(rstd), epsilon, ThreadsOfRow(c), packed);
    }

    private void RmsNormBackward<T>(
        Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Tensor? dWeight, bool accumulate)
        where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], packed = FourElements.FitRows(dy) && FourElements.FitRows(x)
            && FourElements.FitRows(dx) ? 1 : 0;

        // The sums first: dx may lie where dy does.
        if (dWeight is { } sums)
            AddNormGradients<T>(dy, x, null, rstd, sums, null);
        Launch(EachRow(rows, c), RmsNormBackwardKernel,
            View<T>(dy), Rows.Of(dy), View<T>(x), Rows.Of(x), View<Float32>(weight), Floats(rstd), View<T>(dx),
            Rows.Of(dx),
            accumulate ? 1 : 0, ThreadsOfRow(c), packed);
    }

    [Kernel(GroupSize)]
    private static void RmsNormKernel<T>(
        ArrayView<T> x, Rows xRows, ArrayView<Float32> weight, ArrayView<T> y, Rows yRows, ArrayView<float> rstd,
        float epsilon, Lanes threads,
        int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * threads.Lines + threads.Line, first = 4 * threads.Lane,
            step = 4 * threads.Count;
        int end = row < rstd.IntLength ? c : 0; // threads without a row go along to the barriers
        int source = xRows.At(row), target = yRows.At(row);
        float squares = packed != 0 ? SquaresOfRow<T, Fours>(x, source, first, end, step, 0)
            : SquaresOfRow<T, AnyPlaces>(x, source, first, end, step, 0);
        float scale = 1 / XMath.Sqrt(GroupReduction.Sum(squares, shared, threads.Count) / c + epsilon);
        if (packed != 0)
            WriteRmsNorm<T, Fours>(x, source, weight, y, target, first, end, step, scale);
        else
            WriteRmsNorm<T, AnyPlaces>(x, source, weight, y, target, first, end, step, scale);

        if (first == 0 && end > 0)
            rstd[row] = scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteRmsNorm<T, TPlaces>(ArrayView<T> x, int source, ArrayView<Float32> weight, ArrayView<T> y,
        int target, int first, int end, int step, float scale)
        where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        for (int i = first; i < end; i += step)
        {
            var normed = FourElements.Load<T, TPlaces>(x, source + i, end - i) * scale
                * FourElements.Load<Float32, TPlaces>(weight, i, end - i);
            FourElements.Store<T, TPlaces>(y, target + i, end - i, normed);
        }
    }

    [Kernel(GroupSize)]
    private static void RmsNormBackwardKernel<T>(
        ArrayView<T> dy, Rows dyRows, ArrayView<T> x, Rows xRows, ArrayView<Float32> weight, ArrayView<float> rstd,
        ArrayView<T> dx, Rows dxRows, int accumulate, Lanes threads, int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * threads.Lines + threads.Line, first = 4 * threads.Lane,
            step = 4 * threads.Count;
        bool exists = row < rstd.IntLength;
        int end = exists ? c : 0;
        int source = xRows.At(row), gradient = dyRows.At(row), target = dxRows.At(row);
        float scale = exists ? rstd[row] : 0;
        float sum = packed != 0 ? SumRmsNormGradient<T, Fours>(dy, gradient, x, source, weight, first, end, step)
            : SumRmsNormGradient<T, AnyPlaces>(dy, gradient, x, source, weight, first, end, step);
        float average = GroupReduction.Sum(sum, shared, threads.Count) * scale / c;
        if (packed != 0)
        {
            WriteRmsNormGradient<T, Fours>(
                dy, gradient, x, source, weight, dx, target, first, end, step, scale, average, accumulate);
        }
        else
        {
            WriteRmsNormGradient<T, AnyPlaces>(
                dy, gradient, x, source, weight, dx, target, first, end, step, scale, average, accumulate);
        }
    }

    // g . x, g = dy weight
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float SumRmsNormGradient<T,
        TPlaces>(ArrayView<T> dy, int gradient, ArrayView<T> x, int source, ArrayView<Float32> weight, int first,
            int end, int step)
        where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        Float4 sum = default;
        for (int i = first; i < end; i += step)
        {
            var g = FourElements.Load<T, TPlaces>(dy, gradient + i, end - i)
                * FourElements.Load<Float32, TPlaces>(weight, i, end - i);
            sum += g * FourElements.Load<T, TPlaces>(x, source + i, end - i);
        }

        return sum.Sum;
    }

    // dx = (g - n mean(g n)) rstd, or +=; n = x rstd
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteRmsNormGradient<T,
        TPlaces>(ArrayView<T> dy, int gradient, ArrayView<T> x, int source, ArrayView<Float32> weight, ArrayView<T> dx,
            int target, int first, int end,
            int step, float scale, float average, int accumulate) where T : unmanaged, IElement<T>
        where TPlaces : unmanaged, IPlaces
    {
        for (int i = first; i < end; i += step)
        {
            int count = end - i;
            Float4 n = FourElements.Load<T, TPlaces>(x, source + i, count) * scale;
            var g = FourElements.Load<T, TPlaces>(dy, gradient + i, count)
                * FourElements.Load<Float32, TPlaces>(weight, i, count);
            var result = (g - n * average) * scale;
            if (accumulate != 0)
                result += FourElements.Load<T, TPlaces>(dx, target + i, count);
            FourElements.Store<T, TPlaces>(dx, target + i, count, result);
        }
    }
}
