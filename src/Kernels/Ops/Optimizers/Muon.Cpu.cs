namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void MuonMomentumCore(
        Tensor gradients, Tensor momentum, Tensor update, Tensor sumSquares, float decay, float clip)
    {
        float norm = MathF.Sqrt(*Pointer(sumSquares));
        if (!float.IsFinite(norm))
            return;
        float scale = clip > 0 ? MathF.Min(1, clip / (norm + 1e-6f)) : 1;
        pool.Run(new MuonMomentumKernel(
            Pointer(gradients), Pointer(momentum), Pointer(update), gradients.Count, decay, scale),
            Items(gradients.Count, Chunk));
    }

    private protected override void MuonStepCore(
        Tensor parameters, Tensor direction, Tensor sumSquares, Tensor state, float factor, float scale,
        float weightDecay, Tensor? copy)
    {
        if (!float.IsFinite(MathF.Sqrt(*Pointer(sumSquares))))
            return;
        float rate = BitConverter.Int32BitsToSingle(IntPointer(state)[StepState.LearningRate]) * factor;
        pool.Run(new MuonStepKernel(
            Pointer(parameters), Pointer(direction), parameters.Count, 1 - rate * weightDecay, -rate * scale),
            Items(parameters.Count, Chunk));
    }

    private readonly struct MuonMomentumKernel(float* g, float* m, float* u, long count, float decay, float scale)
        : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);
            V keep = V.Create(decay), clip = V.Create(scale);
            for (long i = first; i < end; i += V.Width)
            {
                int left = (int)(end - i);
                V gradient = V.Load(g + i, left) * clip;
                V momentum = V.MultiplyAdd(keep, V.Load(m + i, left), gradient);
                V.Store(m + i, momentum, left);
                V.Store(u + i, V.MultiplyAdd(keep, momentum, gradient), left);
            }
        }
    }

    private readonly struct MuonStepKernel(float* p, float* d, long count, float keep, float step) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);
            V decay = V.Create(keep), rate = V.Create(step);
            for (long i = first; i < end; i += V.Width)
            {
                int left = (int)(end - i);
                V.Store(p + i, V.MultiplyAdd(rate, V.Load(d + i, left), V.Load(p + i, left) * decay), left);
            }
        }
    }
}
