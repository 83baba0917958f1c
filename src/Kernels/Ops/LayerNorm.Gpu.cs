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
        int rows = x.Shape.Rows, c = x.Shape[-1];
        Launch(EachRow(rows, c), LayerNormKernel, View<T>(x), Floats(weight), Floats(bias), View<T>(y), Floats(mean), Floats(rstd), epsilon, ThreadsPerRow(c));
    }

    private void LayerNormBackward<T>(Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx, Tensor dWeight, Tensor dBias) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1];

        // The sums first: dx may lie where dy does.
        AddNormGradients<T>(dy, x, mean, rstd, dWeight, dBias);
        Launch(EachRow(rows, c), LayerNormBackwardKernel, View<T>(dy), View<T>(x), Floats(weight), Floats(mean), Floats(rstd), View<T>(dx), ThreadsPerRow(c));
    }

    [Kernel(GroupSize)]
    private static void LayerNormKernel<T>(ArrayView<T> x, ArrayView<float> weight, ArrayView<float> bias, ArrayView<T> y, ArrayView<float> mean, ArrayView<float> rstd,
        float epsilon, int threads) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * (GroupSize / threads) + Group.IdxX / threads, first = Group.IdxX % threads, place = row * c;
        int end = row < rstd.IntLength ? c : 0; // threads without a row go along to the barriers
        float sum = 0;
        for (int i = first; i < end; i += threads)
            sum += x[place + i].ToFloat();
        float average = GroupReduction.Sum(sum, shared, threads) / c;

        // The variance in a second pass over the cached row: E[x^2] - E[x]^2 would cancel.
        float squares = 0;
        for (int i = first; i < end; i += threads)
        {
            float difference = x[place + i].ToFloat() - average;
            squares += difference * difference;
        }

        float scale = 1 / XMath.Sqrt(GroupReduction.Sum(squares, shared, threads) / c + epsilon);
        for (int i = first; i < end; i += threads)
            y[place + i] = default(T).From((x[place + i].ToFloat() - average) * scale * weight[i] + bias[i]);
        if (first == 0 && end > 0)
        {
            mean[row] = average;
            rstd[row] = scale;
        }
    }

    [Kernel(GroupSize)]
    private static void LayerNormBackwardKernel<T>(ArrayView<T> dy, ArrayView<T> x, ArrayView<float> weight, ArrayView<float> mean, ArrayView<float> rstd, ArrayView<T> dx, int threads)
        where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int c = weight.IntLength, row = Grid.IdxX * (GroupSize / threads) + Group.IdxX / threads, first = Group.IdxX % threads, place = row * c;
        bool exists = row < rstd.IntLength;
        int end = exists ? c : 0;
        float average = exists ? mean[row] : 0, scale = exists ? rstd[row] : 0, sumG = 0, sumGn = 0;
        for (int i = first; i < end; i += threads)
        {
            float g = dy[place + i].ToFloat() * weight[i];
            sumG += g;
            sumGn += g * (x[place + i].ToFloat() - average) * scale;
        }

        float averageG = GroupReduction.Sum(sumG, shared, threads) / c, averageGn = GroupReduction.Sum(sumGn, shared, threads) / c;
        for (int i = first; i < end; i += threads)
        {
            float g = dy[place + i].ToFloat() * weight[i], n = (x[place + i].ToFloat() - average) * scale;
            dx[place + i] = default(T).From(dx[place + i].ToFloat() + scale * (g - averageG - n * averageGn));
        }
    }
}
