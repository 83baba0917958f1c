namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void NormalizeCore(Tensor x, Tensor sumSquares, Tensor y) =>
        pool.Run(new NormalizeKernel(Pointer(x), Pointer(y), x.Count, 1 / (MathF.Sqrt(*Pointer(sumSquares)) + 1e-7f)),
            Items(x.Count, Chunk));

    private protected override void NewtonSchulzFactorCore(
        Tensor gram, Tensor square, Tensor y, QuinticCoefficients coefficients)
    {
        int k = gram.Shape[0];
        pool.Run(new NewtonSchulzFactorKernel(Pointer(gram), Pointer(square), Pointer(y), k, coefficients),
            Items(k, RowsPerItem(k)));
    }

    private readonly struct NormalizeKernel(float* x, float* y, long count, float scale) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);
            V factor = V.Create(scale);
            for (long i = first; i < end; i += V.Width)
            {
                int left = (int)(end - i);
                V.Store(y + i, V.Load(x + i, left) * factor, left);
            }
        }
    }

    private readonly struct NewtonSchulzFactorKernel(
        float* gram, float* square, float* y, int k, QuinticCoefficients coefficients) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, k, k);
            V b = V.Create(coefficients.B), c = V.Create(coefficients.C);
            for (int row = first; row < end; row++)
            {
                long start = (long)row * k;
                for (int i = 0; i < k; i += V.Width)
                {
                    V.Store(y + start + i,
                        V.MultiplyAdd(b, V.Load(gram + start + i, k - i), c * V.Load(square + start + i, k - i)),
                        k - i);
                }

                y[start + row] += coefficients.A;
            }
        }
    }
}
