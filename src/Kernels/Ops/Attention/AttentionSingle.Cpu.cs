using System.Runtime.CompilerServices;

namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    /// <summary>
    /// One head of one query, as in decoding: its scores fit into the cache, so softmax needs no blocks and the sums
    /// stay in registers.
    /// </summary>
    private readonly struct SingleQueryKernel(
        CpuBackend<V> backend, Heads q, Heads k, Heads v, Heads output, float* logSumExp, KeyRange range) : IKernel
    {
        public void Run(int item, int thread)
        {
            int head = item % q.Count, batch = item / q.Count, keyHead = head / (q.Count / k.Count);
            int first = range.First(batch, 0), count = Math.Min(k.Length, range.End(batch, 0)) - first;
            float* result = output.At(batch, head, 0);
            if (count <= 0)
            {
                new Span<float>(result, q.Size).Clear();
                logSumExp[item] = float.NegativeInfinity;
                return;
            }

            // Whole vectors of scores, and whole groups of keys.
            const int group = 4;
            int vectors = (count + V.Width - 1) / V.Width * V.Width;
            float* scores = backend.Scratch(thread, vectors + group), query = q.At(batch, head, 0);
            int key = 0;
            for (; key + group <= count; key += group)
                ScoreFour(query, k.At(batch, keyHead, first + key), scores + key);
            for (; key < count; key++)
                scores[key] = Dot(query, k.At(batch, keyHead, first + key), q.Size);
            new Span<float>(scores + count, vectors - count).Fill(float.NegativeInfinity);

            float scale = 1 / MathF.Sqrt(q.Size), max = MaxOfRow(scores, count) * scale,
                total = ExpRow(scores, vectors, scale, max);
            logSumExp[item] = max + MathF.Log(total);
            WeightedSum(scores, 1 / total, v.At(batch, keyHead, first), count, result);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void ScoreFour(float* query, float* keys, float* scores)
        {
            int d = q.Size, j = 0;
            long stride = k.Stride;
            V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
            for (; j + V.Width <= d; j += V.Width)
            {
                V x = V.Load(query + j);
                s0 = V.MultiplyAdd(x, V.Load(keys + j), s0);
                s1 = V.MultiplyAdd(x, V.Load(keys + stride + j), s1);
                s2 = V.MultiplyAdd(x, V.Load(keys + 2 * stride + j), s2);
                s3 = V.MultiplyAdd(x, V.Load(keys + 3 * stride + j), s3);
            }

            V.SumEach(s0, s1, s2, s3, scores);
            for (; j < d; j++)
                for (int i = 0; i < 4; i++)
                    scores[i] += query[j] * keys[i * stride + j];
        }

        // result = factor sum_i weights[i] values[i], four vectors of it at a time.
        private void WeightedSum(float* weights, float factor, float* values, int count, float* result)
        {
            int d = q.Size, j = 0;
            long stride = v.Stride;
            V f = V.Create(factor);
            for (; j + 4 * V.Width <= d; j += 4 * V.Width)
            {
                V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
                float* value = values + j;
                for (int i = 0; i < count; i++, value += stride)
                {
                    V w = V.Create(weights[i]);
                    s0 = V.MultiplyAdd(w, V.Load(value), s0);
                    s1 = V.MultiplyAdd(w, V.Load(value + V.Width), s1);
                    s2 = V.MultiplyAdd(w, V.Load(value + 2 * V.Width), s2);
                    s3 = V.MultiplyAdd(w, V.Load(value + 3 * V.Width), s3);
                }

                V.Store(result + j, s0 * f);
                V.Store(result + j + V.Width, s1 * f);
                V.Store(result + j + 2 * V.Width, s2 * f);
                V.Store(result + j + 3 * V.Width, s3 * f);
            }

            for (; j < d; j += V.Width)
            {
                V sum = V.Zero;
                float* value = values + j;
                for (int i = 0; i < count; i++, value += stride)
                    sum = V.MultiplyAdd(V.Create(weights[i]), V.Load(value, d - j), sum);
                V.Store(result + j, sum * f, d - j);
            }
        }
    }
}
