namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void DropoutCore(Tensor x, Tensor y, float probability, Tensor state, int site)
    {
        var mask = DropoutMask.For(IntPointer(state), probability, site, x.Count);
        pool.Run(new DropoutKernel(Pointer(x), Pointer(y), mask, x.Count), Items(x.Count, Chunk));
    }

    private readonly struct DropoutKernel(float* x, float* y, DropoutMask mask, long count) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = ChunkOf(item, count);
            float* factors = stackalloc float[DropoutRun];
            for (long i = first; i < end; i += DropoutRun)
            {
                int length = (int)Math.Min(DropoutRun, end - i);
                mask.Factors(i, length, factors);
                for (int j = 0; j < length; j += V.Width)
                    V.Store(y + i + j, V.Load(x + i + j, length - j) * V.Load(factors + j, length - j), length - j);
            }
        }
    }

    private const int DropoutRun = 256;

    /// <summary>The mask of one site at one step, as <see cref="Backend.Dropout"/> defines it.</summary>
    private readonly struct DropoutMask
    {
        private readonly uint key0, key1, site, step;
        private readonly ulong start; // number of this micro-batch's first element
        private readonly DropoutRule rule;

        private DropoutMask(uint key0, uint key1, uint site, uint step, ulong start, DropoutRule rule) =>
            (this.key0, this.key1, this.site, this.step, this.start, this.rule) = (key0, key1, site, step, start, rule);

        public static DropoutMask For(int* state, float probability, int site, long count) => new(
            (uint)state[StepState.SeedLow], (uint)state[StepState.SeedHigh], (uint)site, (uint)state[StepState.Step],
            (ulong)((uint)state[StepState.MicroStep] * count), new DropoutRule(probability));

        /// <summary>Factors 0 or 1 / (1 - p) of elements <paramref name="first"/> on.</summary>
        public void Factors(long first, int length, float* factors)
        {
            ulong number = start + (ulong)first;
            uint* words = stackalloc uint[4];
            for (int i = 0; i < length;)
            {
                ulong block = number / 4;
                (words[0], words[1], words[2], words[3]) = ((uint)block, (uint)(block >> 32), site, step);
                Philox.Next(ref words[0], ref words[1], ref words[2], ref words[3], key0, key1);
                for (int word = (int)(number % 4); word < 4 && i < length; word++, i++, number++)
                    factors[i] = rule.Factor(words[word]);
            }
        }
    }
}
