using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace TinyLlm.Kernels.Cpu;

/// <summary>
/// Products of a few rows of x, as in decoding. Memory bounds them, and packing would cost more than the product: each
/// weight is read once, in the order in which it lies there. Every element of y is the same chain of multiply-adds, one
/// for each lane, however many rows x has: a sample of a batch has the bits that it would have alone.
/// </summary>
internal sealed unsafe partial class CpuBackend<V>
{
    // Rows of W that are multiplied at once with up to three rows of x: 4 x 3 accumulators and 3 vectors of x leave one
    // of AVX2's 16 registers to the weights.
    private const int GroupRows = 4;

    // y (M, N) = x (M, K) W^T + b
    private void MatVec(float* x, float* weight, float* bias, float* y, int m, int n, int k)
    {
        int rowsPerItem = WeightRowsPerItem(n, (long)k * sizeof(float));
        if (m > 0)
            pool.Run(new MatVecKernel(x, weight, bias, y, m, n, k, rowsPerItem), Items(n, rowsPerItem));
    }

    /// <summary>
    /// Rows of a weight that an item reads. Long pieces, because memory is slower where they begin; in equal parts for
    /// all threads. The number of threads counts, but each row's results are its own.
    /// </summary>
    private int WeightRowsPerItem(int n, long rowBytes)
    {
        const long least = 1 << 16, most = 1 << 20;
        long bytes = n * rowBytes, items = Math.Max(1, bytes / least);
        if (items > pool.Threads)
            items = pool.Threads * ((bytes + pool.Threads * most - 1) / (pool.Threads * most));
        int rows = (int)((n + items - 1) / items);
        return (rows + GroupRows - 1) / GroupRows * GroupRows;
    }

    /// <summary>Some rows of W against all rows of x.</summary>
    private readonly struct MatVecKernel(
        float* x, float* weight, float* bias, float* y, int m, int n, int k, int rowsPerItem) : IKernel, IRowGroups
    {
        /// <summary>
        /// The most rows of x: a batch of samples. It is faster than a packed product up to some 48, but those are
        /// mostly training's, where the parts of a batch should round as the whole does.
        /// </summary>
        public const int MaxRows = 16;

        // Memory is read ahead by the hardware up to the end of a page; what comes on the next one is asked for.
        private const int PageBytes = 4096;

        public void Run(int item, int thread)
        {
            int row = item * rowsPerItem, end = Math.Min(n, row + rowsPerItem);
            if (m == 1)
            {
                for (; row + GroupRows <= end; row += GroupRows)
                    MultiplyOne(row);
            }
            else
            {
                row = MultiplyGroups(this, m, row, end, (nint)weight, (long)k * sizeof(float), V.Width * sizeof(float));
            }

            for (; row < end; row++)
                for (int i = 0; i < m; i++)
                    MultiplyLast(i, row);
        }

        // One row after another: what lies in order comes from memory fastest.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void MultiplyOne(int row)
        {
            float* w = weight + (long)row * k;
            V s0 = Dot(x, w), s1 = Dot(x, w + k), s2 = Dot(x, w + 2 * k), s3 = Dot(x, w + 3 * k);
            V.SumEach(s0, s1, s2, s3, y + row);
            Finish(0, row, GroupRows);
        }

        public void Multiply<M>(int i, int row, nint ahead, int aheadStep) where M : struct, IInputRows
        {
            V s00 = V.Zero, s01 = V.Zero, s02 = V.Zero, s03 = V.Zero, s10 = V.Zero, s11 = V.Zero, s12 = V.Zero,
                s13 = V.Zero;
            V s20 = V.Zero, s21 = V.Zero, s22 = V.Zero, s23 = V.Zero;
            int depth = k;
            float* x0 = x + (long)i * depth, w0 = weight + (long)row * depth, result = y + (long)i * n + row;
            for (int j = 0; j + V.Width <= depth; j += V.Width, ahead += aheadStep)
            {
                AskFor(ahead, aheadStep);
                V a = V.Load(w0 + j), b = V.Load(w0 + depth + j), c = V.Load(w0 + 2 * depth + j),
                    d = V.Load(w0 + 3 * depth + j);
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
                Finish(i + q, row, GroupRows);
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
            float* sums = stackalloc float[GroupRows];
            V.SumEach(Dot(x + (long)i * k, weight + (long)row * k), V.Zero, V.Zero, V.Zero, sums);
            y[(long)i * n + row] = sums[0];
            Finish(i, row, 1);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private V Dot(float* a, float* b)
        {
            V sum = V.Zero;
            for (int j = 0; j + V.Width <= k; j += V.Width)
            {
                if (Sse.IsSupported)
                    Sse.Prefetch0((byte*)(b + j) + PageBytes);
                sum = V.MultiplyAdd(V.Load(a + j), V.Load(b + j), sum);
            }

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

    /// <summary>
    /// How many rows of x are multiplied at once, as a type: the compiler leaves out what is not needed.
    /// </summary>
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

    /// <summary>A product that goes through <see cref="GroupRows"/> rows of W at once.</summary>
    private interface IRowGroups
    {
        /// <summary>
        /// Multiplies a group of rows of W, from <paramref name="row"/> on, with rows <paramref name="i"/> and
        /// following of x.
        /// </summary>
        /// <param name="ahead">What to ask of memory in the first step, <paramref name="aheadStep"/> bytes; the next
        /// step goes on behind it.</param>
        void Multiply<M>(int i, int row, nint ahead, int aheadStep) where M : struct, IInputRows;
    }

    /// <summary>
    /// All whole groups of rows of W with all rows of x: a group's weights stay in the cache from one pass over it to
    /// the next. Rows that lie side by side are read at four places at a time, which the hardware does not foresee:
    /// each pass asks for its share of a later group, in order.
    /// </summary>
    /// <param name="weight">Address of W, whose rows are <paramref name="rowBytes"/> apart.</param>
    /// <param name="stepBytes">Bytes of a row that a step of the product reads.</param>
    /// <returns>The first row that is left.</returns>
    private static int MultiplyGroups<G>(
        in G groups, int m, int row, int end, nint weight, long rowBytes, int stepBytes) where G : struct, IRowGroups
    {
        const int groupsAhead = 4;
        int passes = (m + Three.Count - 1) / Three.Count, rowsPerPass = (m + passes - 1) / passes;
        int aheadStep = (GroupRows * stepBytes + passes - 1) / passes;
        nint aheadPass = (nint)(aheadStep * (rowBytes / stepBytes));
        for (; row + GroupRows <= end; row += GroupRows)
        {
            nint ahead = weight + (nint)((row + groupsAhead * GroupRows) * rowBytes);
            for (int i = 0; i < m; i += rowsPerPass, ahead += aheadPass)
            {
                switch (Math.Min(rowsPerPass, m - i))
                {
                    case 1:
                        groups.Multiply<One>(i, row, ahead, aheadStep);
                        break;
                    case 2:
                        groups.Multiply<Two>(i, row, ahead, aheadStep);
                        break;
                    default:
                        groups.Multiply<Three>(i, row, ahead, aheadStep);
                        break;
                }
            }
        }

        return row;
    }

    // Into the second level: the first has no room for what comes later, beside x and the rows that are multiplied.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AskFor(nint address, int bytes)
    {
        const int line = 64;
        for (int i = 0; Sse.IsSupported && i < bytes; i += line)
            Sse.Prefetch1((byte*)address + i);
    }
}
