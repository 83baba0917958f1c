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
        int rows = x.Shape.Rows, c = x.Shape[-1];
        Launch(EachRow(rows, c), RmsNormKernel, View<T>(x), Rows.Of(x), Floats(weight), View<T>(y), Rows.Of(y), Floats(rstd), epsilon, ThreadsPerRow(c));
    }

    private void RmsNormBackward<T>(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Tensor dWeight, bool accumulate) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1];

        // The sums first: dx may lie where dy does.
        AddNormGradients<T>(dy, x, null, rstd, dWeight, null);
        Launch(EachRow(rows, c), RmsNormBackwardKernel, View<T>(dy), Rows.Of(dy), View<T>(x), Rows.Of(x), Floats(weight), Floats(rstd), View<T>(dx), Rows.Of(dx),
            accumulate ? 1 : 0, ThreadsPerRow(c));
    }

    [Kernel(GroupSize)]
    private static void RmsNormKernel<T>(ArrayView<T> x, Rows xRows, ArrayView<float> weight, ArrayView<T> y, Rows yRows, ArrayView<float> rstd, float epsilon, int threads)
        where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * (GroupSize / threads) + Group.IdxX / threads, first = Group.IdxX % threads;
        int end = row < rstd.IntLength ? c : 0; // threads without a row go along to the barriers
        int source = xRows.At(row), target = yRows.At(row);
        float squares = 0;
        for (int i = first; i < end; i += threads)
        {
            float value = x[source + i].ToFloat();
            squares += value * value;
        }

        float scale = 1 / XMath.Sqrt(GroupReduction.Sum(squares, shared, threads) / c + epsilon);
        for (int i = first; i < end; i += threads)
            y[target + i] = default(T).From(x[source + i].ToFloat() * scale * weight[i]);
        if (first == 0 && end > 0)
            rstd[row] = scale;
    }

    [Kernel(GroupSize)]
    private static void RmsNormBackwardKernel<T>(ArrayView<T> dy, Rows dyRows, ArrayView<T> x, Rows xRows, ArrayView<float> weight, ArrayView<float> rstd,
        ArrayView<T> dx, Rows dxRows, int accumulate, int threads) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * (GroupSize / threads) + Group.IdxX / threads, first = Group.IdxX % threads;
        bool exists = row < rstd.IntLength;
        int end = exists ? c : 0;
        int source = xRows.At(row), gradient = dyRows.At(row), target = dxRows.At(row);
        float scale = exists ? rstd[row] : 0, sum = 0;
        for (int i = first; i < end; i += threads)
            sum += dy[gradient + i].ToFloat() * weight[i] * x[source + i].ToFloat() * scale;

        float average = GroupReduction.Sum(sum, shared, threads) / c;
        for (int i = first; i < end; i += threads)
        {
            float n = x[source + i].ToFloat() * scale, g = dy[gradient + i].ToFloat() * weight[i], result = scale * (g - n * average);
            dx[target + i] = default(T).From(accumulate != 0 ? dx[target + i].ToFloat() + result : result);
        }
    }
}
