using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private const float GeluScale = 0.7978845608f; // sqrt(2 / pi)
    private const float GeluCubic = 0.044715f;

    private protected override void GeluCore(Tensor x, Tensor y) => Map<GeluMap>(x, y);

    private protected override void GeluBackwardCore(Tensor dy, Tensor x, Tensor dx) => Map2<GeluGradient>(dy, x, dx);

    private readonly struct GeluMap : IMap
    {
        public float Of(float x) => 0.5f * x * (1 + GeluTanh(x));
    }

    // With t = tanh(s (x + c x^3)): Gelu' = (1 + t)/2 + x/2 (1 - t^2) s (1 + 3 c x^2).
    private readonly struct GeluGradient : IMap2
    {
        public float Of(float dy, float x)
        {
            float t = GeluTanh(x);
            return dy * (0.5f * (1 + t) + 0.5f * x * (1 - t * t) * GeluScale * (1 + 3 * GeluCubic * x * x));
        }
    }

    private static float GeluTanh(float u) => Tanh(GeluScale * (u + GeluCubic * u * u * u));

    // Two forms: the quotient loses all digits near zero, where the odd series x - x^3/3 + 2x^5/15 - 17x^7/315 +
    // 62x^9/2835 has them.
    private static float Tanh(float x)
    {
        float square = x * x;
        float series = x
            * (1 + square * (-1f / 3 + square * (2f / 15 + square * (-17f / 315 + square * (62f / 2835)))));

        // e^(2 |x|) is finite up to |x| = 44; from 10 on tanh is 1 in single precision.
        float power = XMath.Exp(2 * XMath.Min(XMath.Abs(x), 10f));
        float quotient = 1 - 2 / (power + 1);
        return square < 0.09f ? series : x < 0 ? -quotient : quotient;
    }
}
