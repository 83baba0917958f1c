using System.Runtime.CompilerServices;

namespace TinyLlm.Kernels.Cpu;

/// <summary>What is done with the elements of a product while they are in the cache.</summary>
internal sealed unsafe partial class CpuBackend<V>
{
    private interface IEpilogue
    {
        /// <summary>
        /// Finishes <paramref name="count"/> elements of a row of the result, which are sums so far, from (row, column)
        /// on.
        /// </summary>
        void Apply(int row, int column, int count);
    }

    private readonly struct NoEpilogue : IEpilogue
    {
        public void Apply(int row, int column, int count) { }
    }

    // y += bias
    private readonly struct BiasEpilogue(float* bias, float* y, long stride) : IEpilogue
    {
        public void Apply(int row, int column, int count)
        {
            if (bias is null)
                return;
            float* result = y + row * stride + column;
            for (int i = 0; i < count; i += V.Width)
                V.Store(result + i, Biased(result, bias, column, i, count), count - i);
        }
    }

    // y = addend + (y + bias)
    private readonly struct AddEpilogue(float* bias, float* addend, float* y, long stride) : IEpilogue
    {
        public void Apply(int row, int column, int count)
        {
            float* result = y + row * stride + column, other = addend + row * stride + column;
            for (int i = 0; i < count; i += V.Width)
                V.Store(result + i, V.Load(other + i, count - i) + Biased(result, bias, column, i, count), count - i);
        }
    }

    // pre += bias; y = GELU(pre)
    private readonly struct GeluEpilogue(float* bias, float* pre, float* y, long stride) : IEpilogue
    {
        public void Apply(int row, int column, int count)
        {
            float* argument = pre + row * stride + column, result = y + row * stride + column;
            for (int i = 0; i < count; i += V.Width)
            {
                V x = Biased(argument, bias, column, i, count);
                V.Store(argument + i, x, count - i);
                V.Store(result + i, Gelu(x), count - i);
            }
        }
    }

    // dx *= GELU'(pre)
    private readonly struct GeluGradientEpilogue(float* pre, float* dx, long stride) : IEpilogue
    {
        public void Apply(int row, int column, int count)
        {
            float* argument = pre + row * stride + column, result = dx + row * stride + column;
            for (int i = 0; i < count; i += V.Width)
            {
                V.Store(result + i, V.Load(result + i, count - i) * GeluDerivative(V.Load(argument + i, count - i)),
                    count - i);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Biased(float* x, float* bias, int column, int i, int count) =>
        bias is null ? V.Load(x + i, count - i) : V.Load(x + i, count - i) + V.Load(bias + column + i, count - i);
}
