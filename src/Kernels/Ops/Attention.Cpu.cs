namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    // Queries and keys of one block: its scores (16 KiB) and operands stay in the first- and second-level caches.
    private const int AttentionBlock = 64;

    private protected override void AttentionCore(Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask, AttentionDropout dropout)
    {
        var kernel = new AttentionKernel(this, Heads.Of(q), Heads.Of(k), Heads.Of(v), Heads.Of(output), Pointer(logSumExp),
            KeyRange.Of(mask, q), ProbabilityMask.Of(dropout, q, k));
        pool.Run(kernel, q.Shape[0] * q.Shape[2] * Items(q.Shape[1], AttentionBlock));
    }

    private protected override void AttentionBackwardCore(Tensor dOutput, Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp,
        Tensor dq, Tensor dk, Tensor dv, AttentionMask mask, AttentionDropout dropout)
    {
        var kernel = new AttentionBackwardKernel(this, Heads.Of(dOutput), Heads.Of(q), Heads.Of(k), Heads.Of(v), Heads.Of(output), Pointer(logSumExp),
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

        public float* At(int batch, int head, int token) => pointer + batch * batchStride + head * headStride + token * Stride;

        public Operand Block(int batch, int head, int token, bool transposed = false) => new(At(batch, head, token), Stride, transposed);
    }

    /// <summary>The keys that a query sees: from its document's start to its own place.</summary>
    private readonly struct KeyRange(int* offsets, int* starts, int queries)
    {
        public static KeyRange Of(AttentionMask mask, Tensor q) => new(IntPointer(mask.Offsets), IntPointer(mask.Starts), q.Shape[1]);

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
                DropoutMask.For(IntPointer(dropout.State), dropout.Probability, dropout.Site, (long)q.Shape[0] * q.Shape[2] * q.Shape[1] * k.Shape[1]),
                q.Shape[2], q.Shape[1], k.Shape[1]);

        public void Factors(int batch, int head, int query, int key, int count, float* factors) =>
            mask.Factors((((long)batch * heads + head) * queries + query) * keys + key, count, factors);
    }

    /// <summary>Forward: one block of queries of one head, against the blocks of keys that it sees.</summary>
    private readonly struct AttentionKernel(CpuBackend<V> backend, Heads q, Heads k, Heads v, Heads output, float* logSumExp, KeyRange range, ProbabilityMask dropout) : IKernel
    {
        public void Run(int item, int thread)
        {
            int blocks = CpuBackend<V>.Items(q.Length, AttentionBlock);
            int query = item % blocks * AttentionBlock, head = item / blocks % q.Count, batch = item / blocks / q.Count;
            int keyHead = head / (q.Count / k.Count), rows = Math.Min(AttentionBlock, q.Length - query), d = q.Size;

            float* scratch = backend.Scratch(thread, AttentionBlock * (AttentionBlock + d + 3L) + GemmScratch(d));
            float* scores = scratch, sums = scores + AttentionBlock * AttentionBlock, max = sums + AttentionBlock * d, total = max + AttentionBlock;
            float* factors = total + AttentionBlock, gemm = factors + AttentionBlock;
            new Span<float>(sums, rows * d).Clear();
            new Span<float>(max, rows).Fill(float.NegativeInfinity);
            new Span<float>(total, rows).Clear();

            int end = Math.Min(k.Length, range.End(batch, query + rows - 1));
            for (int key = range.FirstOf(batch, query, rows); key < end; key += AttentionBlock)
            {
                int columns = Math.Min(AttentionBlock, end - key);
                Scores(q.Block(batch, head, query), k.Block(batch, keyHead, key, transposed: true), rows, columns, d, scores, gemm);
                for (int i = 0; i < rows; i++)
                    SoftmaxRow(batch, head, query + i, key, columns, scores + i * columns, sums + i * d, max + i, total + i, factors);
                AddWeighted(rows, columns, d, scores, v.Block(batch, keyHead, key), sums, gemm);
            }

            for (int i = 0; i < rows; i++)
            {
                // A query that sees no key (padding) gives zeros: a NaN would spread through the keys that it becomes.
                V inverse = V.Create(total[i] > 0 ? 1 / total[i] : 0);
                float* result = output.At(batch, head, query + i);
                for (int j = 0; j < d; j += V.Width)
                    V.Store(result + j, V.Load(sums + i * d + j, d - j) * inverse, d - j);
                logSumExp[((long)batch * q.Count + head) * q.Length + query + i] = max[i] + MathF.Log(total[i]);
            }
        }

        // Online softmax: scores become e^(score - max); a new maximum rescales what was summed before.
        private void SoftmaxRow(int batch, int head, int query, int key, int columns, float* row, float* sums, float* max, float* total, float* factors)
        {
            int first = Math.Clamp(range.First(batch, query) - key, 0, columns), end = Math.Clamp(range.End(batch, query) - key, first, columns);
            new Span<float>(row, first).Clear();
            new Span<float>(row + end, columns - end).Clear();
            if (first == end)
                return;

            float scale = 1 / MathF.Sqrt(q.Size), newMax = MathF.Max(*max, MaxOfRow(row + first, end - first) * scale);
            float correction = MathF.Exp(*max - newMax);
            *max = newMax;
            *total = *total * correction + ExpRow(row + first, end - first, scale, newMax);
            if (correction != 1)
                ScaleRow(sums, q.Size, correction);
            if (dropout.Active)
            {
                dropout.Factors(batch, head, query, key + first, end - first, factors);
                MultiplyRow(row + first, factors, end - first);
            }
        }
    }

    /// <summary>Backward: all queries and keys of one key head, so that dK and dV are summed by one thread.</summary>
    private readonly struct AttentionBackwardKernel(CpuBackend<V> backend, Heads dOutput, Heads q, Heads k, Heads v, Heads output, float* logSumExp,
        Heads dq, Heads dk, Heads dv, KeyRange range, ProbabilityMask dropout) : IKernel
    {
        public void Run(int item, int thread)
        {
            int batch = item / k.Count, keyHead = item % k.Count, group = q.Count / k.Count, d = q.Size;
            for (int key = 0; key < k.Length; key++)
            {
                new Span<float>(dk.At(batch, keyHead, key), d).Clear();
                new Span<float>(dv.At(batch, keyHead, key), d).Clear();
            }

            float* scratch = backend.Scratch(thread, AttentionBlock * (2L * AttentionBlock + 2) + GemmScratch(d));
            for (int head = keyHead * group; head < (keyHead + 1) * group; head++)
                for (int query = 0; query < q.Length; query += AttentionBlock)
                    QueryBlock(batch, head, keyHead, query, Math.Min(AttentionBlock, q.Length - query), scratch);
        }

        private void QueryBlock(int batch, int head, int keyHead, int query, int rows, float* scratch)
        {
            int d = q.Size;
            float* p = scratch, ds = p + AttentionBlock * AttentionBlock, delta = ds + AttentionBlock * AttentionBlock;
            float* factors = delta + AttentionBlock, gemm = factors + AttentionBlock;
            for (int i = 0; i < rows; i++)
            {
                delta[i] = Dot(dOutput.At(batch, head, query + i), output.At(batch, head, query + i), d);
                new Span<float>(dq.At(batch, head, query + i), d).Clear();
            }

            int end = Math.Min(k.Length, range.End(batch, query + rows - 1));
            for (int key = range.FirstOf(batch, query, rows); key < end; key += AttentionBlock)
            {
                int columns = Math.Min(AttentionBlock, end - key);
                var queries = q.Block(batch, head, query);
                var dOut = dOutput.Block(batch, head, query);
                Gemm<V>.Serial(rows, columns, d, queries, k.Block(batch, keyHead, key, transposed: true), p, columns, false, gemm);
                Gemm<V>.Serial(rows, columns, d, dOut, v.Block(batch, keyHead, key, transposed: true), ds, columns, false, gemm);
                for (int i = 0; i < rows; i++)
                    GradientRow(batch, head, query + i, key, columns, p + i * columns, ds + i * columns, delta[i], factors);

                Gemm<V>.Serial(columns, d, rows, new Operand(p, columns, transposed: true), dOut, dv.At(batch, keyHead, key), dv.Stride, true, gemm);
                Gemm<V>.Serial(columns, d, rows, new Operand(ds, columns, transposed: true), queries, dk.At(batch, keyHead, key), dk.Stride, true, gemm);
                Gemm<V>.Serial(rows, d, columns, new Operand(ds, columns), k.Block(batch, keyHead, key), dq.At(batch, head, query), dq.Stride, true, gemm);
            }
        }

        // In: p = scores, ds = dP. Out: p = probabilities after dropout, ds = P (dP - delta) / sqrt(D).
        private void GradientRow(int batch, int head, int query, int key, int columns, float* p, float* ds, float delta, float* factors)
        {
            int first = Math.Clamp(range.First(batch, query) - key, 0, columns), end = Math.Clamp(range.End(batch, query) - key, first, columns);
            new Span<float>(p, first).Clear();
            new Span<float>(ds, first).Clear();
            new Span<float>(p + end, columns - end).Clear();
            new Span<float>(ds + end, columns - end).Clear();

            int n = end - first;
            float lse = logSumExp[((long)batch * q.Count + head) * q.Length + query], scale = 1 / MathF.Sqrt(q.Size);
            if (dropout.Active)
            {
                dropout.Factors(batch, head, query, key + first, n, factors);
                MultiplyRow(ds + first, factors, n);
            }

            V s = V.Create(scale), shift = V.Create(lse), center = V.Create(delta);
            for (int i = first; i < end; i += V.Width)
            {
                int left = end - i;
                V probability = VectorMath.Exp(V.Load(p + i, left) * s - shift);
                V.Store(ds + i, probability * (V.Load(ds + i, left) - center) * s, left);
                V.Store(p + i, probability, left);
            }

            if (dropout.Active)
                MultiplyRow(p + first, factors, n);
        }
    }

    // Room for the largest of the block products below.
    private static long GemmScratch(int d) => Math.Max(
        Gemm<V>.SerialScratch(AttentionBlock, AttentionBlock, d),
        Gemm<V>.SerialScratch(AttentionBlock, d, AttentionBlock));

    // scores (rows, columns) = Q K^T, not yet scaled. A single query, as in decoding, is not worth packing for.
    private static void Scores(Operand queries, Operand keys, int rows, int columns, int d, float* scores, float* gemm)
    {
        if (rows > 1)
        {
            Gemm<V>.Serial(rows, columns, d, queries, keys, scores, columns, false, gemm);
            return;
        }

        for (int j = 0; j < columns; j++)
            scores[j] = Dot(queries.Pointer, keys.Pointer + j * keys.Stride, d);
    }

    // sums (rows, D) += probabilities V
    private static void AddWeighted(int rows, int columns, int d, float* probabilities, Operand values, float* sums, float* gemm)
    {
        if (rows > 1)
        {
            Gemm<V>.Serial(rows, d, columns, new Operand(probabilities, columns), values, sums, d, true, gemm);
            return;
        }

        for (int j = 0; j < columns; j++)
        {
            V p = V.Create(probabilities[j]);
            float* value = values.Pointer + j * values.Stride;
            for (int i = 0; i < d; i += V.Width)
                V.Store(sums + i, V.MultiplyAdd(p, V.Load(value + i, d - i), V.Load(sums + i, d - i)), d - i);
        }
    }

    // x[i] = e^(x[i] scale - shift); returns the sum.
    private static float ExpRow(float* x, int n, float scale, float shift)
    {
        V sum = V.Zero, s = V.Create(scale), m = V.Create(shift);
        int i = 0;
        for (; i + V.Width <= n; i += V.Width)
        {
            V e = VectorMath.Exp(V.Load(x + i) * s - m);
            V.Store(x + i, e);
            sum += e;
        }

        float total = V.Sum(sum);
        for (; i < n; i++)
            total += x[i] = MathF.Exp(x[i] * scale - shift);
        return total;
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
