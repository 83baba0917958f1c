namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void RmsNormCore(Tensor x, Tensor weight, Tensor y, Tensor rstd, float epsilon)
    {
        int rows = x.Shape.Rows, c = x.Shape[-1];
        pool.Run(new RmsNormKernel(Rows.Of(x), Pointer(weight), Rows.Of(y), Pointer(rstd), epsilon, rows, c),
            Items(rows, RowsPerItem(c)));
    }

    private protected override void RmsNormBackwardCore(
        Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Tensor? dWeight, bool accumulate)
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], items = Items(rows, RowsPerItem(c));
        float* partial = SharedScratch(SharedPartials, (long)items * c);
        pool.Run(new RmsNormBackwardKernel(
            Rows.Of(dy), Rows.Of(x), Pointer(weight), Pointer(rstd), Rows.Of(dx), accumulate, partial, rows, c), items);
        for (int item = 0; item < items && dWeight is not null; item++)
            AddRow(Pointer(dWeight.Value), partial + (long)item * c, c);
    }

    private readonly struct RmsNormKernel(Rows x, float* weight, Rows y, float* rstd, float epsilon, int rows, int c)
        : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, c);
            for (int row = first; row < end; row++)
            {
                float* source = x[row], result = y[row];
                float scale = 1 / MathF.Sqrt(Dot(source, source, c) / c + epsilon);
                rstd[row] = scale;
                V r = V.Create(scale);
                for (int i = 0; i < c; i += V.Width)
                    V.Store(result + i, V.Load(source + i, c - i) * r * V.Load(weight + i, c - i), c - i);
            }
        }
    }

    // Each item leaves its share of dWeight in its own row of the partial sums, (items, C).
    private readonly struct RmsNormBackwardKernel(
        Rows dy, Rows x, float* weight, float* rstd, Rows dx, bool accumulate, float* partial, int rows, int c)
        : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, c);
            float* dWeight = partial + (long)item * c;
            new Span<float>(dWeight, c).Clear();
            for (int row = first; row < end; row++)
            {
                float* source = x[row], gradient = dy[row], target = dx[row];
                V r = V.Create(rstd[row]), sumGn = V.Zero;
                for (int i = 0; i < c; i += V.Width)
                {
                    int left = c - i;
                    V d = V.Load(gradient + i, left), n = V.Load(source + i, left) * r;
                    sumGn = V.MultiplyAdd(d * V.Load(weight + i, left), n, sumGn);
                    V.Store(dWeight + i, V.MultiplyAdd(d, n, V.Load(dWeight + i, left)), left);
                }

                V averageGn = V.Create(V.Sum(sumGn) / c);
                for (int i = 0; i < c; i += V.Width)
                {
                    int left = c - i;
                    V n = V.Load(source + i, left) * r, g = V.Load(gradient + i, left) * V.Load(weight + i, left);
                    V result = r * (g - n * averageGn);
                    V.Store(target + i, accumulate ? V.Load(target + i, left) + result : result, left);
                }
            }
        }
    }
}
