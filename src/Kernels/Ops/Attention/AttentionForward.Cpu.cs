namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    /// <summary>One block of queries of one head, against the blocks of keys that it sees.</summary>
    private readonly struct AttentionKernel(
        CpuBackend<V> backend, Heads q, Heads k, Heads v, Heads output, float* logSumExp, KeyRange range,
        ProbabilityMask dropout) : IKernel
    {
        public void Run(int item, int thread)
        {
            int blocks = CpuBackend<V>.Items(q.Length, AttentionBlock);
            int query = item % blocks * AttentionBlock, head = item / blocks % q.Count, batch = item / blocks / q.Count;
            int keyHead = head / (q.Count / k.Count), rows = Math.Min(AttentionBlock, q.Length - query), d = q.Size;

            long panels = Math.Max(Gemm<V>.PackedSizeB(AttentionBlock, d), Gemm<V>.PackedSizeB(d, AttentionBlock));
            float* scores = backend.Scratch(
                thread, AttentionBlock * (AttentionBlock + d + 3L) + Band.LimitsSize + panels + EdgeSize);
            float* sums = scores + AttentionBlock * AttentionBlock, max = sums + AttentionBlock * d,
                total = max + AttentionBlock, factors = total + AttentionBlock;
            float* limits = factors + AttentionBlock, packed = limits + Band.LimitsSize, edge = packed + panels;
            new Span<float>(sums, rows * d).Clear();
            new Span<float>(max, rows).Fill(float.NegativeInfinity);
            new Span<float>(total, rows).Clear();

            int end = Math.Min(k.Length, range.End(batch, query + rows - 1));
            for (int key = range.FirstOf(batch, query, rows); key < end; key += AttentionBlock)
            {
                int columns = Math.Min(AttentionBlock, end - key);
                var band = new Band(range, batch, query, rows, key, columns, (int*)limits);
                Gemm<V>.PackB(k.Block(batch, keyHead, key, transposed: true), columns, d, packed);
                band.Scores(q.Block(batch, head, query), packed, columns, d, scores, edge);
                for (int i = 0; i < rows; i++)
                {
                    SoftmaxRow(band, i, batch, head, query, key, columns, scores + i * AttentionBlock, sums + i * d,
                        max + i, total + i, factors);
                }

                Gemm<V>.PackB(v.Block(batch, keyHead, key), d, columns, packed);
                band.AddWeighted(scores, packed, columns, d, sums, d, edge);
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

        // Online softmax: scores become e^(score - max), zero where the query does not see the key; a new maximum
        // rescales what was summed before.
        private void SoftmaxRow(
            Band band, int i, int batch, int head, int query, int key, int columns, float* row, float* sums, float* max,
            float* total, float* factors)
        {
            var (first, end, from, to) = band.Row(i);
            if (first == end)
            {
                new Span<float>(row, columns).Clear();
                return;
            }

            new Span<float>(row + from, first - from).Fill(float.NegativeInfinity);
            new Span<float>(row + end, to - end).Fill(float.NegativeInfinity);
            float scale = 1 / MathF.Sqrt(q.Size), newMax = MathF.Max(*max, MaxOfRow(row + from, to - from) * scale);
            float correction = MathF.Exp(*max - newMax);
            *max = newMax;
            *total = *total * correction + ExpRow(row + from, to - from, scale, newMax);
            new Span<float>(row, from).Clear();
            new Span<float>(row + to, Math.Max(0, columns - to)).Clear();
            if (correction != 1)
                ScaleRow(sums, q.Size, correction);
            if (dropout.Active)
            {
                dropout.Factors(batch, head, query + i, key + first, end - first, factors);
                MultiplyRow(row + first, factors, end - first);
            }
        }
    }
}
