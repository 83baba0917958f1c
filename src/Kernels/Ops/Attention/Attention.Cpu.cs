namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    // Queries and keys of one block: its scores (16 KiB) and operands stay in the first- and second-level caches. A
    // multiple of every vector's width.
    private const int AttentionBlock = 64;

    // Floats of a tile of a block product that reaches over its border.
    private static int EdgeSize => Gemm<V>.MR * Gemm<V>.NR;

    private protected override void AttentionCore(
        Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask, AttentionDropout dropout)
    {
        if (q.Shape[1] == 1 && dropout.Probability == 0)
        {
            pool.Run(new SingleQueryKernel(
                this, Heads.Of(q), Heads.Of(k), Heads.Of(v), Heads.Of(output), Pointer(logSumExp),
                KeyRange.Of(mask, q)), q.Shape[0] * q.Shape[2]);
            return;
        }

        var kernel =
            new AttentionKernel(this, Heads.Of(q), Heads.Of(k), Heads.Of(v), Heads.Of(output), Pointer(logSumExp),
                KeyRange.Of(mask, q), ProbabilityMask.Of(dropout, q, k));
        pool.Run(kernel, q.Shape[0] * q.Shape[2] * Items(q.Shape[1], AttentionBlock));
    }

    private protected override void AttentionBackwardCore(
        Tensor dOutput, Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp,
        Tensor dq, Tensor dk, Tensor dv, AttentionMask mask, AttentionDropout dropout)
    {
        var kernel = new AttentionBackwardKernel(
            this, Heads.Of(dOutput), Heads.Of(q), Heads.Of(k), Heads.Of(v), Heads.Of(output), Pointer(logSumExp),
            Heads.Of(dq), Heads.Of(dk), Heads.Of(dv), KeyRange.Of(mask, q), ProbabilityMask.Of(dropout, q, k));
        pool.Run(kernel, k.Shape[0] * k.Shape[2]);
    }

    /// <summary>A (B, T, H, D) tensor, seen as (T, D) matrices, one for each row of the batch and head.</summary>
    private readonly struct Heads
    {
        private readonly float* pointer;
        private readonly long batchStride, headStride;

        private Heads(Tensor x)
        {
            pointer = Pointer(x);
            (Length, Count, Size) = (x.Shape[1], x.Shape[2], x.Shape[3]);
            (batchStride, Stride, headStride) = (x.Stride(0), x.Stride(1), x.Stride(2));
        }

        public int Length { get; }

        public int Count { get; }

        public int Size { get; }

        /// <summary>Distance between the tokens of one head.</summary>
        public long Stride { get; }

        public static Heads Of(Tensor x) => new(x);

        public float* At(int batch, int head, int token) =>
            pointer + batch * batchStride + head * headStride + token * Stride;

        public Operand Block(int batch, int head, int token, bool transposed = false) =>
            new(At(batch, head, token), Stride, transposed);
    }

    /// <summary>The keys that a query sees: from its document's start to its own place.</summary>
    private readonly struct KeyRange(int* offsets, int* starts, int queries)
    {
        public static KeyRange Of(AttentionMask mask, Tensor q) =>
            new(IntPointer(mask.Offsets), IntPointer(mask.Starts), q.Shape[1]);

        public int First(int batch, int query) => starts is null ? 0 : starts[(long)batch * queries + query];

        public int End(int batch, int query) => (offsets is null ? 0 : offsets[batch]) + query + 1;

        /// <summary>The first key that any of the queries sees.</summary>
        public int FirstOf(int batch, int query, int count)
        {
            int first = int.MaxValue;
            for (int i = 0; i < count; i++)
                first = Math.Min(first, First(batch, query + i));
            return first;
        }
    }

    /// <summary>Dropout of probabilities; see <see cref="Backend.Attention"/> for the numbering.</summary>
    private readonly struct ProbabilityMask(bool active, DropoutMask mask, int heads, int queries, int keys)
    {
        public bool Active => active;

        public static ProbabilityMask Of(AttentionDropout dropout, Tensor q, Tensor k) => dropout.Probability == 0
            ? default
            : new ProbabilityMask(true,
                DropoutMask.For(
                    IntPointer(dropout.State), dropout.Probability, dropout.Site,
                    (long)q.Shape[0] * q.Shape[2] * q.Shape[1] * k.Shape[1]),
                q.Shape[2], q.Shape[1], k.Shape[1]);

        public void Factors(int batch, int head, int query, int key, int count, float* factors) =>
            mask.Factors((((long)batch * heads + head) * queries + query) * keys + key, count, factors);
    }

    // e^(x[i] scale - shift) for whole vectors; exactly 0 where x is -infinity. Returns the sum.
    private static float ExpRow(float* x, int n, float scale, float shift)
    {
        // The exponential is clamped: what it makes of -infinity, 1e-38, is taken off, and no other value feels it.
        V sum = V.Zero, s = V.Create(scale), m = V.Create(shift),
            least = VectorMath.Exp(V.Create(float.NegativeInfinity));
        for (int i = 0; i < n; i += V.Width)
        {
            V e = VectorMath.Exp(V.Load(x + i) * s - m) - least;
            V.Store(x + i, e);
            sum += e;
        }

        return V.Sum(sum);
    }

    private static void ScaleRow(float* x, int n, float factor)
    {
        V f = V.Create(factor);
        for (int i = 0; i < n; i += V.Width)
            V.Store(x + i, V.Load(x + i, n - i) * f, n - i);
    }

    private static void MultiplyRow(float* x, float* factors, int n)
    {
        for (int i = 0; i < n; i += V.Width)
            V.Store(x + i, V.Load(x + i, n - i) * V.Load(factors + i, n - i), n - i);
    }
}
