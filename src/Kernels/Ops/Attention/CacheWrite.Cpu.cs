namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void CacheWriteCore(Tensor x, Tensor offsets, Tensor cache)
    {
        int t = x.Shape[1], heads = x.Shape[2], d = x.Shape[3], rows = x.Shape[0] * t;
        pool.Run(new CacheWriteKernel(
            Rows.Of(x), IntPointer(offsets), Rows.Of(cache), rows, t, cache.Shape[1], heads, d),
            Items(rows, RowsPerItem(heads * d)));
    }

    // A row is one token: its heads one after another.
    private readonly struct CacheWriteKernel(
        Rows x, int* offsets, Rows cache, int rows, int t, int tmax, int heads, int d) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, heads * d);
            for (int row = first; row < end; row++)
            {
                int batch = row / t, place = offsets[batch] + row % t;
                for (int head = 0; head < heads; head++)
                {
                    new Span<float>(x[row * heads + head], d)
                        .CopyTo(new Span<float>(cache[(batch * tmax + place) * heads + head], d));
                }
            }
        }
    }
}
