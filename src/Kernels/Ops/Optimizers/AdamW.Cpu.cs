namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void AdamWCore(
        Tensor parameters, Tensor gradients, Tensor m, Tensor v, Tensor sumSquares, Tensor state,
        AdamWSettings settings,
        Tensor? copy)
    {
        float norm = MathF.Sqrt(*Pointer(sumSquares));
        if (!float.IsFinite(norm))
            return;

        int* slots = IntPointer(state);
        float clip = settings.Clip > 0 ? MathF.Min(1, settings.Clip / (norm + 1e-6f)) : 1;
        var kernel = new AdamWKernel(
            Pointer(parameters), Pointer(gradients), Pointer(m), Pointer(v), parameters.Count, settings, clip,
            BitConverter.Int32BitsToSingle(slots[StepState.LearningRate]),
            BitConverter.Int32BitsToSingle(slots[StepState.BiasCorrection1]),
            BitConverter.Int32BitsToSingle(slots[StepState.BiasCorrection2]));
        pool.Run(kernel, Items(parameters.Count, Chunk));
    }

    private readonly struct AdamWKernel(
        float* p, float* g, float* m, float* v, long count, AdamWSettings settings, float clip,
        float learningRate, float correction1, float correction2) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);
            V beta1 = V.Create(settings.Beta1), beta2 = V.Create(settings.Beta2);
            V keep1 = V.Create(1 - settings.Beta1), keep2 = V.Create(1 - settings.Beta2);
            V decay = V.Create(1 - learningRate * settings.WeightDecay), rate = V.Create(-learningRate / correction1);
            V rootCorrection = V.Create(1 / MathF.Sqrt(correction2)), epsilon = V.Create(settings.Epsilon),
                scale = V.Create(clip);
            for (long i = first; i < end; i += V.Width)
            {
                int left = (int)(end - i);
                V gradient = V.Load(g + i, left) * scale;
                V mean = V.MultiplyAdd(beta1, V.Load(m + i, left), keep1 * gradient);
                V square = V.MultiplyAdd(beta2, V.Load(v + i, left), keep2 * gradient * gradient);
                V.Store(m + i, mean, left);
                V.Store(v + i, square, left);
                V step = mean / V.MultiplyAdd(V.Sqrt(square), rootCorrection, epsilon);
                V.Store(p + i, V.MultiplyAdd(rate, step, V.Load(p + i, left) * decay), left);
            }
        }
    }
}
