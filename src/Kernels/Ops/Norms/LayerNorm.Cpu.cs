namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void LayerNormCore(
        Tensor x, Tensor weight, Tensor bias, Tensor y, Tensor mean, Tensor rstd, float epsilon)
    {
        int rows = x.Shape.Rows, c = x.Shape[-1];
        pool.Run(new LayerNormKernel(
            Pointer(x), Pointer(weight), Pointer(bias), Pointer(y), Pointer(mean), Pointer(rstd), epsilon, rows, c),
            Items(rows, RowsPerItem(c)));
    }

    private protected override void LayerNormBackwardCore(
        Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx, Tensor? dWeight, Tensor? dBias)
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], items = Items(rows, RowsPerItem(c));
        float* partial = SharedScratch(SharedPartials, 2L * items * c);
        pool.Run(new LayerNormBackwardKernel(
            Pointer(dy), Pointer(x), Pointer(weight), Pointer(mean), Pointer(rstd), Pointer(dx), partial, rows, c),
            items);
        for (int item = 0; item < items && dWeight is not null; item++)
        {
            AddRow(Pointer(dWeight.Value), partial + 2L * item * c, c);
            AddRow(Pointer(dBias!.Value), partial + (2L * item + 1) * c, c);
        }
    }

    private readonly struct LayerNormKernel(
        float* x, float* weight, float* bias, float* y, float* mean, float* rstd, float epsilon, int rows, int c)
        : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, c);
            for (long row = first; row < end; row++)
            {
                float* source = x + row * c, result = y + row * c;
                float average = SumRow(source, c) / c;

                // The variance in a second pass over the cached row: E[x^2] - E[x]^2 would cancel.
                float scale = 1 / MathF.Sqrt(SumSquaredDifference(source, average, c) / c + epsilon);
                (mean[row], rstd[row]) = (average, scale);
                V m = V.Create(average), r = V.Create(scale);
                for (int i = 0; i < c; i += V.Width)
                {
                    V n = (V.Load(source + i, c - i) - m) * r;
                    V.Store(result + i, V.MultiplyAdd(n, V.Load(weight + i, c - i), V.Load(bias + i, c - i)), c - i);
                }
            }
        }
    }

    // Each item leaves its share of dWeight and dBias in its own row of the partial sums, (items, 2, C).
    private readonly struct LayerNormBackwardKernel(
        float* dy, float* x, float* weight, float* mean, float* rstd, float* dx, float* partial, int rows, int c)
        : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, c);
            float* dWeight = partial + 2L * item * c, dBias = dWeight + c;
            new Span<float>(dWeight, 2 * c).Clear();
            for (long row = first; row < end; row++)
            {
                float* source = x + row * c, gradient = dy + row * c, target = dx + row * c;
                V m = V.Create(mean[row]), r = V.Create(rstd[row]), sumG = V.Zero, sumGn = V.Zero;
                for (int i = 0; i < c; i += V.Width)
                {
                    int left = c - i;
                    V d = V.Load(gradient + i, left), n = (V.Load(source + i, left) - m) * r,
                        g = d * V.Load(weight + i, left);
                    sumG += g;
                    sumGn = V.MultiplyAdd(g, n, sumGn);
                    V.Store(dWeight + i, V.MultiplyAdd(d, n, V.Load(dWeight + i, left)), left);
                    V.Store(dBias + i, V.Load(dBias + i, left) + d, left);
                }

                V averageG = V.Create(V.Sum(sumG) / c), averageGn = V.Create(V.Sum(sumGn) / c);
                for (int i = 0; i < c; i += V.Width)
                {
                    int left = c - i;
                    V n = (V.Load(source + i, left) - m) * r, g = V.Load(gradient + i, left) * V.Load(weight + i, left);
                    V.Store(target + i, V.MultiplyAdd(r, g - averageG - n * averageGn, V.Load(target + i, left)), left);
                }
            }
        }
    }

    private static float SumRow(float* x, int n)
    {
        V sum = V.Zero;
        for (int i = 0; i < n; i += V.Width)
            sum += V.Load(x + i, n - i);
        return V.Sum(sum);
    }

    private static float SumSquaredDifference(float* x, float center, int n)
    {
        V sum = V.Zero, c = V.Create(center);
        int i = 0;
        for (; i + V.Width <= n; i += V.Width)
        {
            V d = V.Load(x + i) - c;
            sum = V.MultiplyAdd(d, d, sum);
        }

        // The zeros behind a short vector are not at the center: the rest is summed one by one.
        float total = V.Sum(sum);
        for (; i < n; i++)
            total += (x[i] - center) * (x[i] - center);
        return total;
    }
}
