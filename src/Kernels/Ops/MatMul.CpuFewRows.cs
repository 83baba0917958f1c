using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace TinyLlm.Kernels.Cpu;

/// <summary>
/// Products of a few rows of x, as in decoding. Memory bounds them, and packing would cost more than the product: each weight is read once, in
/// the order in which it lies there.
/// </summary>
internal sealed unsafe partial class CpuBackend<V>
{
    // y (M, N) = x (M, K) W^T + b
    private void MatVec(float* x, float* weight, float* bias, float* y, int m, int n, int k)
    {
        if (m == 0)
            return;
        int rowsPerItem = WeightRowsPerItem(n, (long)k * sizeof(float));
        pool.Run(new MatVecKernel(x, weight, bias, y, m, n, k, rowsPerItem), Items(n, rowsPerItem));
    }

    /// <summary>
    /// Rows of a weight that an item reads. Long pieces, because memory is slower where they begin; in equal parts for all threads. The number of threads counts, but
    /// each row's results are its own.
    /// </summary>
    private int WeightRowsPerItem(int n, long rowBytes)
    {
        const long least = 1 << 16, most = 1 << 20;
        long items = Math.Max(1, n * rowBytes / least);
        if (items > pool.Threads)
            items = pool.Threads * Math.Max(1, (n * rowBytes + pool.Threads * most - 1) / (pool.Threads * most));
        int rows = (int)((n + items - 1) / items);
        return (rows + MatVecKernel.WeightRows - 1) / MatVecKernel.WeightRows * MatVecKernel.WeightRows;
    }

    /// <summary>
    /// Some rows of W against all rows of x. Every element of y is the same chain of multiply-adds, one for each lane, however many rows x has: a sample of a batch
    /// has the bits that it would have alone.
    /// </summary>
    private readonly struct MatVecKernel(float* x, float* weight, float* bias, float* y, int m, int n, int k, int rowsPerItem) : IKernel
    {
        /// <summary>
        /// The most rows of x: a batch of samples. It is faster than a packed product up to some 48, but those are mostly training's, where the parts of a batch should
        /// round as the whole does.
        /// </summary>
        public const int MaxRows = 16;

        /// <summary>Rows of W, and of x, that are multiplied at once: 4 x 3 accumulators and 3 vectors of x leave one of AVX2's 16 registers to the weights.</summary>
        public const int WeightRows = 4;

        private const int InputRows = 3;

        // What is asked of memory ahead of the rows that are multiplied: two groups of rows.
        private const int GroupsAhead = 2;

        public void Run(int item, int thread)
        {
            int row = item * rowsPerItem, end = Math.Min(n, row + rowsPerItem);
            if (m == 1)
            {
                for (; row + WeightRows <= end; row += WeightRows)
                    MultiplyOne(row);
            }
            else
            {
                row = MultiplyGroups(row, end);
            }

            for (; row < end; row++)
                for (int i = 0; i < m; i++)
                    MultiplyLast(i, row);
        }

        // Row after row: what lies in order comes from memory by itself, and fastest so.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void MultiplyOne(int row)
        {
            float* w = weight + (long)row * k;
            V s0 = Dot(x, w), s1 = Dot(x, w + k), s2 = Dot(x, w + 2 * k), s3 = Dot(x, w + 3 * k);
            V.SumEach(s0, s1, s2, s3, y + row);
            Finish(0, row, WeightRows);
        }

        private int MultiplyGroups(int row, int end)
        {
            int passes = (m + InputRows - 1) / InputRows, rowsPerPass = (m + passes - 1) / passes;
            int aheadPerStep = (WeightRows * V.Width + passes - 1) / passes;
            for (; row + WeightRows <= end; row += WeightRows)
            {
                // Each pass asks for its share.
                float* ahead = weight + (long)(row + GroupsAhead * WeightRows) * k;
                for (int i = 0; i < m; i += rowsPerPass, ahead += (long)aheadPerStep * (k / V.Width))
                {
                    switch (Math.Min(rowsPerPass, m - i))
                    {
                        case 1:
                            MultiplyGroup<One>(i, row, ahead, aheadPerStep);
                            break;
                        case 2:
                            MultiplyGroup<Two>(i, row, ahead, aheadPerStep);
                            break;
                        default:
                            MultiplyGroup<Three>(i, row, ahead, aheadPerStep);
                            break;
                    }
                }
            }

            return row;
        }

        private void MultiplyGroup<M>(int i, int row, float* ahead, int aheadPerStep) where M : struct, IInputRows
        {
            V s00 = V.Zero, s01 = V.Zero, s02 = V.Zero, s03 = V.Zero, s10 = V.Zero, s11 = V.Zero, s12 = V.Zero, s13 = V.Zero;
            V s20 = V.Zero, s21 = V.Zero, s22 = V.Zero, s23 = V.Zero;
            int depth = k;
            float* x0 = x + (long)i * depth, w0 = weight + (long)row * depth, result = y + (long)i * n + row;
            for (int j = 0; j + V.Width <= depth; j += V.Width, ahead += aheadPerStep)
            {
                for (int line = 0; line < aheadPerStep; line += 64 / sizeof(float))
                    PrefetchToSecondLevel(ahead + line);
                V a = V.Load(w0 + j), b = V.Load(w0 + depth + j), c = V.Load(w0 + 2 * depth + j), d = V.Load(w0 + 3 * depth + j);
                Step(V.Load(x0 + j), a, b, c, d, ref s00, ref s01, ref s02, ref s03);
                if (M.Count > 1)
                    Step(V.Load(x0 + depth + j), a, b, c, d, ref s10, ref s11, ref s12, ref s13);
                if (M.Count > 2)
                    Step(V.Load(x0 + 2 * depth + j), a, b, c, d, ref s20, ref s21, ref s22, ref s23);
            }

            // No call before the sums are stored: it would cost the loop its registers.
            V.SumEach(s00, s01, s02, s03, result);
            if (M.Count > 1)
                V.SumEach(s10, s11, s12, s13, result + n);
            if (M.Count > 2)
                V.SumEach(s20, s21, s22, s23, result + 2 * n);
            for (int q = 0; q < M.Count; q++)
                Finish(i + q, row, WeightRows);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Step(V x, V a, V b, V c, V d, ref V s0, ref V s1, ref V s2, ref V s3)
        {
            s0 = V.MultiplyAdd(x, a, s0);
            s1 = V.MultiplyAdd(x, b, s1);
            s2 = V.MultiplyAdd(x, c, s2);
            s3 = V.MultiplyAdd(x, d, s3);
        }

        private void MultiplyLast(int i, int row)
        {
            float* sums = stackalloc float[WeightRows];
            V.SumEach(Dot(x + (long)i * k, weight + (long)row * k), V.Zero, V.Zero, V.Zero, sums);
            y[(long)i * n + row] = sums[0];
            Finish(i, row, 1);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private V Dot(float* a, float* b)
        {
            V sum = V.Zero;
            for (int j = 0; j + V.Width <= k; j += V.Width)
                sum = V.MultiplyAdd(V.Load(a + j), V.Load(b + j), sum);
            return sum;
        }

        // Adds the products of the rows' ends, which fill no vector, and the bias.
        private void Finish(int i, int row, int count)
        {
            float* a = x + (long)i * k, b = weight + (long)row * k, result = y + (long)i * n;
            for (int end = row + count; row < end; row++, b += k)
            {
                for (int j = k / V.Width * V.Width; j < k; j++)
                    result[row] += a[j] * b[j];
                if (bias is not null)
                    result[row] += bias[row];
            }
        }
    }

    /// <summary>How many rows of x are multiplied at once, as a type: the compiler leaves out what is not needed.</summary>
    private interface IInputRows
    {
        static abstract int Count { get; }
    }

    private readonly struct One : IInputRows
    {
        public static int Count => 1;
    }

    private readonly struct Two : IInputRows
    {
        public static int Count => 2;
    }

    private readonly struct Three : IInputRows
    {
        public static int Count => 3;
    }

    // The first level has no room for what comes later: it holds x and the rows that are multiplied.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchToSecondLevel(float* address)
    {
        if (Sse.IsSupported)
            Sse.Prefetch1(address);
    }
}
