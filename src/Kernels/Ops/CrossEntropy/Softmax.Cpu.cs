namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void SoftmaxCore(Tensor x, Tensor y)
    {
        int rows = x.Shape.Rows, c = x.Shape[-1];
        pool.Run(new SoftmaxKernel(Pointer(x), Pointer(y), rows, c), Items(rows, RowsPerItem(c)));
    }

    private protected override void SoftmaxBackwardCore(Tensor dy, Tensor y, Tensor dx)
    {
        int rows = y.Shape.Rows, c = y.Shape[-1];
        pool.Run(new SoftmaxBackwardKernel(Pointer(dy), Pointer(y), Pointer(dx), rows, c), Items(rows, RowsPerItem(c)));
    }

    private readonly struct SoftmaxKernel(float* x, float* y, int rows, int c) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, c);
            for (long row = first; row < end; row++)
            {
                float* result = y + row * c;
                float total = Exponentials(x + row * c, result);
                ScaleRow(result, c, 1 / total);
            }
        }

        // result = e^(source - largest); returns the sum.
        private float Exponentials(float* source, float* result)
        {
            float max = MaxOfRow(source, c);
            V sum = V.Zero, shift = V.Create(max);

            // The vectors' exponential is clamped: what it makes of -infinity, 1e-38, is taken off, and no other value
            // feels it.
            V least = VectorMath.Exp(V.Create(float.NegativeInfinity));
            int i = 0;
            for (; i + V.Width <= c; i += V.Width)
            {
                V e = VectorMath.Exp(V.Load(source + i) - shift) - least;
                V.Store(result + i, e);
                sum += e;
            }

            float total = V.Sum(sum);
            for (; i < c; i++)
                total += result[i] = MathF.Exp(source[i] - max);
            return total;
        }
    }

    private readonly struct SoftmaxBackwardKernel(float* dy, float* y, float* dx, int rows, int c) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, c);
            for (long row = first; row < end; row++)
            {
                float* gradient = dy + row * c, p = y + row * c, target = dx + row * c;
                V weighted = V.Create(Dot(gradient, p, c));
                for (int i = 0; i < c; i += V.Width)
                    V.Store(target + i, V.Load(p + i, c - i) * (V.Load(gradient + i, c - i) - weighted), c - i);
            }
        }
    }
}
