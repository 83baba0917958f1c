using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void NormalizeCore(Tensor x, Tensor sumSquares, Tensor y)
    {
        if (y.DType == DType.BF16)
            Normalize<BFloat16>(x, sumSquares, y);
        else
            Normalize<Float32>(x, sumSquares, y);
    }

    private protected override void NewtonSchulzFactorCore(
        Tensor gram, Tensor square, Tensor y, QuinticCoefficients coefficients)
    {
        if (y.DType == DType.BF16)
            NewtonSchulzFactor<BFloat16>(gram, square, y, coefficients);
        else
            NewtonSchulzFactor<Float32>(gram, square, y, coefficients);
    }

    private void Normalize<T>(Tensor x, Tensor sumSquares, Tensor y) where T : unmanaged, IElement<T> =>
        Launch(Each(x.Count), NormalizeKernel, Floats(x), Floats(sumSquares), View<T>(y));

    private void NewtonSchulzFactor<T>(Tensor gram, Tensor square, Tensor y, QuinticCoefficients coefficients)
        where T : unmanaged, IElement<T> =>
            Launch(Each(gram.Count), NewtonSchulzFactorKernel, Floats(gram), Floats(square), View<T>(y), gram.Shape[0],
                coefficients);

    [Kernel(GroupSize)]
    private static void NormalizeKernel<T>(ArrayView<float> x, ArrayView<float> sumSquares, ArrayView<T> y)
        where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < x.IntLength)
            y[i] = default(T).From(x[i] / (XMath.Sqrt(sumSquares[0]) + 1e-7f));
    }

    [Kernel(GroupSize)]
    private static void NewtonSchulzFactorKernel<T>(ArrayView<float> gram, ArrayView<float> square, ArrayView<T> y,
        int k, QuinticCoefficients coefficients)
        where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= gram.IntLength)
            return;
        float diagonal = i / k == i % k ? coefficients.A : 0f;
        y[i] = default(T).From(diagonal + coefficients.B * gram[i] + coefficients.C * square[i]);
    }
}
