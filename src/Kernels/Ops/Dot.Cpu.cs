namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void DotCore(Tensor a, Tensor b, float scale, Tensor sum) =>
        *Pointer(sum) += (float)(scale * SumOfProducts(Pointer(a), Pointer(b), a.Count));

    // Partial sums of fixed chunks, added up in order: the same bits with any number of threads.
    private double SumOfProducts(float* a, float* b, long count)
    {
        int items = Items(count, Chunk);
        double* partial = (double*)SharedScratch(SharedPartials, 2L * items);
        pool.Run(new PartialDotKernel(a, b, count, partial), items);
        double total = 0;
        for (int i = 0; i < items; i++)
            total += partial[i];
        return total;
    }

    private readonly struct PartialDotKernel(float* a, float* b, long count, double* partial) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);

            // Short runs in single precision, their sums in double: exact enough for 10^9 elements.
            const int run = 256;
            double total = 0;
            for (long i = first; i < end; i += run)
                total += Dot(a + i, b + i, (int)Math.Min(run, end - i));
            partial[item] = total;
        }
    }
}
