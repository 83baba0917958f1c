namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void RopeCore(Tensor x, Tensor positions, Tensor table, Tensor y, bool inverse)
    {
        int rows = x.Shape.Rows, heads = x.Shape[2], d = x.Shape[3];
        pool.Run(new RopeKernel(
            Rows.Of(x), IntPointer(positions), Pointer(table), Rows.Of(y), inverse ? -1 : 1, heads, rows, d),
            Items(rows, RowsPerItem(d)));
    }

    private readonly struct RopeKernel(
        Rows x, int* positions, float* table, Rows y, float sign, int heads, int rows, int d) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, d);
            int half = d / 2;
            V direction = V.Create(sign);
            for (int row = first; row < end; row++)
            {
                float* cos = table + (long)positions[row / heads] * d, sin = cos + half;
                float* source = x[row], target = y[row];
                for (int i = 0; i < half; i += V.Width)
                {
                    int left = half - i;
                    V a = V.Load(source + i, left), b = V.Load(source + half + i, left);
                    V c = V.Load(cos + i, left), s = V.Load(sin + i, left) * direction;
                    V.Store(target + i, a * c - b * s, left);
                    V.Store(target + half + i, b * c + a * s, left);
                }
            }
        }
    }
}
