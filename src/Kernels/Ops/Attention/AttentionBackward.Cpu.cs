namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    /// <summary>All queries and keys of one key head, so that dK and dV are summed by one thread.</summary>
    private readonly struct AttentionBackwardKernel(
        CpuBackend<V> backend, Heads dOutput, Heads q, Heads k, Heads v, Heads output, float* logSumExp,
        Heads dq, Heads dk, Heads dv, KeyRange range, ProbabilityMask dropout) : IKernel
    {
        private readonly int group = q.Count / k.Count;

        public void Run(int item, int thread)
        {
            int batch = item / k.Count, keyHead = item % k.Count;
            var scratch = new Room(backend, thread, group * q.Length, q.Size);
            Clear(dk, batch, keyHead);
            Clear(dv, batch, keyHead);
            for (int i = 0; i < group; i++)
            {
                Clear(dq, batch, keyHead * group + i);
                for (int query = 0; query < q.Length; query++)
                {
                    scratch.Delta[i * q.Length + query] = Dot(
                        dOutput.At(batch, keyHead * group + i, query), output.At(batch, keyHead * group + i, query),
                        q.Size);
                }
            }

            for (int key = 0; key < k.Length; key += AttentionBlock)
                KeyBlock(batch, keyHead, key, Math.Min(AttentionBlock, k.Length - key), scratch);
        }

        private void KeyBlock(int batch, int keyHead, int key, int columns, Room scratch)
        {
            int d = q.Size;
            Gemm<V>.PackB(k.Block(batch, keyHead, key, transposed: true), columns, d, scratch.KeysTransposed);
            Gemm<V>.PackB(v.Block(batch, keyHead, key, transposed: true), columns, d, scratch.ValuesTransposed);
            Gemm<V>.PackB(k.Block(batch, keyHead, key), d, columns, scratch.Keys);
            for (int i = 0; i < group; i++)
                for (int query = 0; query < q.Length; query += AttentionBlock)
                {
                    int rows = Math.Min(AttentionBlock, q.Length - query);
                    var band = new Band(range, batch, query, rows, key, columns, scratch.Limits);
                    if (!band.IsEmpty)
                    {
                        Block(band, batch, keyHead * group + i, keyHead, query, rows, key, columns,
                            scratch.Delta + i * q.Length + query, scratch);
                    }
                }
        }

        private void Block(
            Band band, int batch, int head, int keyHead, int query, int rows, int key, int columns, float* delta,
            Room scratch)
        {
            int d = q.Size;
            float* p = scratch.P, ds = scratch.Ds, edge = scratch.Edge;
            var queries = q.Block(batch, head, query);
            var dOut = dOutput.Block(batch, head, query);
            band.Scores(queries, scratch.KeysTransposed, columns, d, p, edge);
            band.Scores(dOut, scratch.ValuesTransposed, columns, d, ds, edge);
            for (int i = 0; i < rows; i++)
            {
                GradientRow(
                    band, i, batch, head, query, key, columns, p + i * AttentionBlock, ds + i * AttentionBlock,
                    delta[i], scratch.Factors);
            }

            Gemm<V>.PackB(dOut, d, rows, scratch.Rows);
            band.AddWeightedTransposed(p, scratch.Rows, columns, d, dv.At(batch, keyHead, key), dv.Stride, edge);
            Gemm<V>.PackB(queries, d, rows, scratch.Rows);
            band.AddWeightedTransposed(ds, scratch.Rows, columns, d, dk.At(batch, keyHead, key), dk.Stride, edge);
            band.AddWeighted(ds, scratch.Keys, columns, d, dq.At(batch, head, query), dq.Stride, edge);
        }

        // In: p = scores, ds = dP. Out: p = probabilities after dropout, ds = P (dP - delta) / sqrt(D); both zero where
        // the query does not see the key.
        private void GradientRow(
            Band band, int i, int batch, int head, int query, int key, int columns, float* p, float* ds, float delta,
            float* factors)
        {
            var (first, end, from, to) = band.Row(i);
            new Span<float>(p, first).Clear();
            new Span<float>(ds, first).Clear();
            new Span<float>(p + end, Math.Max(columns, to) - end).Clear();
            new Span<float>(ds + end, Math.Max(columns, to) - end).Clear();
            if (first == end)
                return;

            int n = end - first;
            new Span<float>(p + from, first - from).Fill(float.NegativeInfinity);
            new Span<float>(p + end, to - end).Fill(float.NegativeInfinity);
            if (dropout.Active)
            {
                dropout.Factors(batch, head, query + i, key + first, n, factors);
                MultiplyRow(ds + first, factors, n);
            }

            float lse = logSumExp[((long)batch * q.Count + head) * q.Length + query + i],
                scale = 1 / MathF.Sqrt(q.Size);
            V s = V.Create(scale), shift = V.Create(lse), center = V.Create(delta),
                least = VectorMath.Exp(V.Create(float.NegativeInfinity));
            for (int j = from; j < to; j += V.Width)
            {
                V probability = VectorMath.Exp(V.Load(p + j) * s - shift) - least;
                V.Store(ds + j, probability * (V.Load(ds + j) - center) * s);
                V.Store(p + j, probability);
            }

            if (dropout.Active)
                MultiplyRow(p + first, factors, n);
        }

        private static void Clear(Heads x, int batch, int head)
        {
            for (int token = 0; token < x.Length; token++)
                new Span<float>(x.At(batch, head, token), x.Size).Clear();
        }

        /// <summary>A thread's scratch memory.</summary>
        private readonly struct Room
        {
            public readonly float* P, Ds, Delta, Factors, KeysTransposed, ValuesTransposed, Keys, Rows, Edge;
            public readonly int* Limits;

            public Room(CpuBackend<V> backend, int thread, int queries, int d)
            {
                long wide = Gemm<V>.PackedSizeB(AttentionBlock, d), deep = Gemm<V>.PackedSizeB(d, AttentionBlock);
                P = backend.Scratch(
                    thread, AttentionBlock * (2L * AttentionBlock + 1) + Band.LimitsSize + 2 * wide + 2 * deep
                    + EdgeSize + queries);
                Ds = P + AttentionBlock * AttentionBlock;
                Factors = Ds + AttentionBlock * AttentionBlock;
                Limits = (int*)(Factors + AttentionBlock);
                KeysTransposed = Factors + AttentionBlock + Band.LimitsSize;
                ValuesTransposed = KeysTransposed + wide;
                Keys = ValuesTransposed + wide;
                Rows = Keys + deep;
                Edge = Rows + deep;
                Delta = Edge + EdgeSize;
            }
        }
    }
}
