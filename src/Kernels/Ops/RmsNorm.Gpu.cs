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

    private protected override void RmsNormBackwardCore(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Tensor dWeight, bool accumulate)
    {
        if (x.DType == DType.BF16)
            RmsNormBackward<BFloat16>(dy, x, weight, rstd, dx, dWeight, accumulate);
        else
            RmsNormBackward<Float32>(dy, x, weight, rstd, dx, dWeight, accumulate);
    }

    private void RmsNorm<T>(Tensor x, Tensor weight, Tensor y, Tensor rstd, float epsilon) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], packed = FourElements.FitRows(x) && FourElements.FitRows(y) ? 1 : 0;
        Launch(EachRow(rows, c), RmsNormKernel, View<T>(x), Rows.Of(x), View<Float32>(weight), View<T>(y), Rows.Of(y), Floats(rstd), epsilon, ThreadsOfRow(c), packed);
    }

    private void RmsNormBackward<T>(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Tensor dWeight, bool accumulate) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], packed = FourElements.FitRows(dy) && FourElements.FitRows(x) && FourElements.FitRows(dx) ? 1 : 0;

        // The sums first: dx may lie where dy does.
        AddNormGradients<T>(dy, x, null, rstd, dWeight, null);
        Launch(EachRow(rows, c), RmsNormBackwardKernel, View<T>(dy), Rows.Of(dy), View<T>(x), Rows.Of(x), View<Float32>(weight), Floats(rstd), View<T>(dx), Rows.Of(dx),
            accumulate ? 1 : 0, ThreadsOfRow(c), packed);
    }

    [Kernel(GroupSize)]
    private static void RmsNormKernel<T>(ArrayView<T> x, Rows xRows, ArrayView<Float32> weight, ArrayView<T> y, Rows yRows, ArrayView<float> rstd, float epsilon, Lanes threads,
        int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        if (packed != 0)
            RmsNormRow<T, Fours>(x, xRows, weight, y, yRows, rstd, epsilon, threads, shared);
        else
            RmsNormRow<T, AnyPlaces>(x, xRows, weight, y, yRows, rstd, epsilon, threads, shared);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RmsNormRow<T, TPlaces>(ArrayView<T> x, Rows xRows, ArrayView<Float32> weight, ArrayView<T> y, Rows yRows, ArrayView<float> rstd, float epsilon, Lanes threads,
        ArrayView<float> shared) where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        int c = weight.IntLength, row = Grid.IdxX * threads.Lines + threads.Line, first = 4 * threads.Lane;
        int end = row < rstd.IntLength ? c : 0; // threads without a row go along to the barriers
        int source = xRows.At(row), target = yRows.At(row);
        Float4 squares = default;
        for (int i = first; i < end; i += 4 * threads.Count)
        {
            var values = FourElements.Load<T, TPlaces>(x, source + i, end - i);
            squares += values * values;
        }

        float scale = 1 / XMath.Sqrt(GroupReduction.Sum(squares.Sum, shared, threads.Count) / c + epsilon);
        for (int i = first; i < end; i += 4 * threads.Count)
        {
            var normed = FourElements.Load<T, TPlaces>(x, source + i, end - i) * scale * FourElements.Load<Float32, TPlaces>(weight, i, end - i);
            FourElements.Store<T, TPlaces>(y, target + i, end - i, normed);
        }

        if (first == 0 && end > 0)
            rstd[row] = scale;
    }

    [Kernel(GroupSize)]
    private static void RmsNormBackwardKernel<T>(ArrayView<T> dy, Rows dyRows, ArrayView<T> x, Rows xRows, ArrayView<Float32> weight, ArrayView<float> rstd,
        ArrayView<T> dx, Rows dxRows, int accumulate, Lanes threads, int packed) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        if (packed != 0)
            RmsNormBackwardRow<T, Fours>(dy, dyRows, x, xRows, weight, rstd, dx, dxRows, accumulate, threads, shared);
        else
            RmsNormBackwardRow<T, AnyPlaces>(dy, dyRows, x, xRows, weight, rstd, dx, dxRows, accumulate, threads, shared);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RmsNormBackwardRow<T, TPlaces>(ArrayView<T> dy, Rows dyRows, ArrayView<T> x, Rows xRows, ArrayView<Float32> weight, ArrayView<float> rstd,
        ArrayView<T> dx, Rows dxRows, int accumulate, Lanes threads, ArrayView<float> shared) where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        int c = weight.IntLength, row = Grid.IdxX * threads.Lines + threads.Line, first = 4 * threads.Lane;
        bool exists = row < rstd.IntLength;
        int end = exists ? c : 0;
        int source = xRows.At(row), gradient = dyRows.At(row), target = dxRows.At(row);
        float scale = exists ? rstd[row] : 0;
        Float4 sum = default;
        for (int i = first; i < end; i += 4 * threads.Count)
        {
            var g = FourElements.Load<T, TPlaces>(dy, gradient + i, end - i) * FourElements.Load<Float32, TPlaces>(weight, i, end - i);
            sum += g * FourElements.Load<T, TPlaces>(x, source + i, end - i);
        }

        float average = GroupReduction.Sum(sum.Sum, shared, threads.Count) * scale / c;
        for (int i = first; i < end; i += 4 * threads.Count)
        {
            int count = end - i;
            Float4 n = FourElements.Load<T, TPlaces>(x, source + i, count) * scale;
            var g = FourElements.Load<T, TPlaces>(dy, gradient + i, count) * FourElements.Load<Float32, TPlaces>(weight, i, count);
            var result = (g - n * average) * scale;
            if (accumulate != 0)
                result += FourElements.Load<T, TPlaces>(dx, target + i, count);
            FourElements.Store<T, TPlaces>(dx, target + i, count, result);
        }
    }
}
