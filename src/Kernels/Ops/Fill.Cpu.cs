namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void FillCore(Tensor x, float value) =>
        pool.Run(new FillKernel(Pointer(x), value, x.Count), Items(x.Count, Chunk));

    private readonly struct FillKernel(float* x, float value, long count) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);
            new Span<float>(x + first, (int)(end - first)).Fill(value);
        }
    }
}
