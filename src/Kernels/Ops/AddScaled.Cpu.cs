namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void AddScaledCore(Tensor x, float scale, Tensor y, bool accumulate)
    {
        int rows = x.Shape.Rows, c = x.Shape[-1];
        pool.Run(new AddScaledKernel(Rows.Of(x), scale, Rows.Of(y), accumulate, rows, c), Items(rows, RowsPerItem(c)));
    }

    private readonly struct AddScaledKernel(Rows x, float scale, Rows y, bool accumulate, int rows, int c) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, c);
            V factor = V.Create(scale);
            for (int row = first; row < end; row++)
            {
                float* source = x[row], result = y[row];
                for (int i = 0; i < c; i += V.Width)
                {
                    V value = factor * V.Load(source + i, c - i);
                    V.Store(result + i, accumulate ? V.Load(result + i, c - i) + value : value, c - i);
                }
            }
        }
    }
}
