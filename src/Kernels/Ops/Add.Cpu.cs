namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void AddCore(Tensor a, Tensor b, Tensor y) =>
        pool.Run(new AddKernel(Pointer(a), Pointer(b), Pointer(y), a.Count), Items(a.Count, Chunk));

    private readonly struct AddKernel(float* a, float* b, float* y, long count) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);
            for (long i = first; i < end; i += V.Width)
            {
                int left = (int)(end - i);
                V.Store(y + i, V.Load(a + i, left) + V.Load(b + i, left), left);
            }
        }
    }
}
