using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private const float GeluScale = 0.7978845608f; // sqrt(2 / pi)
    private const float GeluCubic = 0.044715f;

    private protected override void GeluCore(Tensor x, Tensor y)
    {
        if (x.DType == DType.BF16)
            Gelu<BFloat16>(x, y);
        else
            Gelu<Float32>(x, y);
    }

    private protected override void GeluBackwardCore(Tensor dy, Tensor x, Tensor dx)
    {
        if (x.DType == DType.BF16)
            GeluBackward<BFloat16>(dy, x, dx);
        else
            GeluBackward<Float32>(dy, x, dx);
    }

    private void Gelu<T>(Tensor x, Tensor y) where T : unmanaged, IElement<T> =>
        Launch(Each(x.Count), GeluKernel, View<T>(x), View<T>(y));

    private void GeluBackward<T>(Tensor dy, Tensor x, Tensor dx) where T : unmanaged, IElement<T> =>
        Launch(Each(x.Count), GeluBackwardKernel, View<T>(dy), View<T>(x), View<T>(dx));

    [Kernel(GroupSize)]
    private static void GeluKernel<T>(ArrayView<T> x, ArrayView<T> y) where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= x.IntLength)
            return;
        float u = x[i].ToFloat();
        y[i] = default(T).From(0.5f * u * (1 + GeluTanh(u)));
    }

    // With t = tanh(s (x + c x^3)): Gelu' = (1 + t)/2 + x/2 (1 - t^2) s (1 + 3 c x^2).
    [Kernel(GroupSize)]
    private static void GeluBackwardKernel<T>(ArrayView<T> dy, ArrayView<T> x, ArrayView<T> dx) where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= x.IntLength)
            return;
        float u = x[i].ToFloat(), t = GeluTanh(u);
        float derivative = 0.5f * (1 + t) + 0.5f * u * (1 - t * t) * GeluScale * (1 + 3 * GeluCubic * u * u);
        dx[i] = default(T).From(dy[i].ToFloat() * derivative);
    }

    private static float GeluTanh(float u) => Tanh(GeluScale * (u + GeluCubic * u * u * u));

    // Two forms: the quotient loses all digits near zero, where the odd series x - x^3/3 + 2x^5/15 - 17x^7/315 + 62x^9/2835 has them.
    private static float Tanh(float x)
    {
        float square = x * x;
        float series = x * (1 + square * (-1f / 3 + square * (2f / 15 + square * (-17f / 315 + square * (62f / 2835)))));

        // e^(2 |x|) is finite up to |x| = 44; from 10 on tanh is 1 in single precision.
        float power = XMath.Exp(2 * XMath.Min(XMath.Abs(x), 10f));
        float quotient = 1 - 2 / (power + 1);
        return square < 0.09f ? series : x < 0 ? -quotient : quotient;
    }
}
