using System.Runtime.CompilerServices;

namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private const float GeluScale = 0.7978845608f; // sqrt(2 / pi)
    private const float GeluCubic = 0.044715f;

    private protected override void GeluCore(Tensor x, Tensor y) =>
        pool.Run(new GeluKernel(Pointer(x), Pointer(y), x.Count), Items(x.Count, Chunk));

    private protected override void GeluBackwardCore(Tensor dy, Tensor x, Tensor dx) =>
        pool.Run(new GeluBackwardKernel(Pointer(dy), Pointer(x), Pointer(dx), x.Count), Items(x.Count, Chunk));

    private readonly struct GeluKernel(float* x, float* y, long count) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);
            for (long i = first; i < end; i += V.Width)
            {
                int left = (int)(end - i);
                V.Store(y + i, Gelu(V.Load(x + i, left)), left);
            }
        }
    }

    private readonly struct GeluBackwardKernel(float* dy, float* x, float* dx, long count) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);
            for (long i = first; i < end; i += V.Width)
            {
                int left = (int)(end - i);
                V.Store(dx + i, V.Load(dy + i, left) * GeluDerivative(V.Load(x + i, left)), left);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Gelu(V x) => V.Create(0.5f) * x * (V.Create(1f) + GeluTanh(x));

    // With t = tanh(s (x + c x^3)): Gelu' = (1 + t)/2 + x/2 (1 - t^2) s (1 + 3 c x^2).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V GeluDerivative(V x)
    {
        V half = V.Create(0.5f), one = V.Create(1f), t = GeluTanh(x);
        V slope = V.Create(GeluScale) * V.MultiplyAdd(V.Create(3 * GeluCubic) * x, x, one);
        return half * (one + t) + half * x * (one - t * t) * slope;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V GeluTanh(V x) =>
        VectorMath.Tanh(V.Create(GeluScale) * V.MultiplyAdd(V.Create(GeluCubic) * x, x * x, x));
}
