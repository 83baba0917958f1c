namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    /// <summary>
    /// A block of scores, (rows, <see cref="AttentionBlock"/>), and which keys of the block each of its queries sees:
    /// those from First to before End. Products with the block leave out what no query sees, which is half of a block
    /// on the diagonal.
    /// </summary>
    private readonly struct Band
    {
        private const int MR = Gemm<V>.MR;

        private readonly int* limits; // First and End of each row
        private readonly int rows;

        /// <summary>
        /// The band of the queries from <paramref name="query"/> and the keys from <paramref name="key"/>.
        /// </summary>
        /// <param name="limits">Room for 2 x rows numbers.</param>
        public Band(KeyRange range, int batch, int query, int rows, int key, int columns, int* limits)
        {
            this.limits = limits;
            this.rows = rows;
            for (int i = 0; i < rows; i++)
            {
                limits[2 * i] = Math.Clamp(range.First(batch, query + i) - key, 0, columns);
                limits[2 * i + 1] = Math.Clamp(range.End(batch, query + i) - key, limits[2 * i], columns);
            }
        }

        /// <summary>Numbers that the limits of a block take.</summary>
        public const int LimitsSize = 2 * AttentionBlock;

        /// <summary>Whether no query sees a key.</summary>
        public bool IsEmpty
        {
            get
            {
                var (first, end) = ColumnsOf(0, rows);
                return first >= end;
            }
        }

        /// <summary>The keys that a query sees, and the whole vectors around them.</summary>
        public (int First, int End, int VectorFirst, int VectorEnd) Row(int row)
        {
            int first = limits[2 * row], end = limits[2 * row + 1];
            return (first, end, first / V.Width * V.Width, (end + V.Width - 1) / V.Width * V.Width);
        }

        /// <summary>
        /// scores = x Y^T where a query of the same tile sees the key; what is beside that is not written, or means
        /// nothing.
        /// </summary>
        /// <param name="x">(rows, D).</param>
        /// <param name="packedY">Y^T (D, columns), packed.</param>
        public void Scores(Operand x, float* packedY, int columns, int d, float* scores, float* edge)
        {
            for (int i = 0; i < rows; i += MR)
            {
                int height = Math.Min(MR, rows - i);
                var (first, end) = ColumnsOf(i, height);
                if (first >= end)
                    continue;

                // Whole panels, because a part of one takes as long.
                first = first / Gemm<V>.NR * Gemm<V>.NR;
                end = Math.Min(columns, (end + Gemm<V>.NR - 1) / Gemm<V>.NR * Gemm<V>.NR);
                Gemm<V>.MultiplyRows(
                    x.At(i, 0), height, end - first, d, packedY + (long)first * d, (long)Gemm<V>.NR * d,
                    scores + i * AttentionBlock + first, AttentionBlock, accumulate: false, edge);
            }
        }

        /// <summary>sums (rows, D) += weights Y for weights that are zero where a query does not see a key.</summary>
        /// <param name="packedY">Y (columns, D), packed.</param>
        public void AddWeighted(
            float* weights, float* packedY, int columns, int d, float* sums, long stride, float* edge)
        {
            for (int i = 0; i < rows; i += MR)
            {
                int height = Math.Min(MR, rows - i);
                var (first, end) = ColumnsOf(i, height);
                if (first < end)
                {
                    Gemm<V>.MultiplyRows(
                        new Operand(weights + i * AttentionBlock + first, AttentionBlock), height, d, end - first,
                        packedY + (long)first * Gemm<V>.NR, (long)Gemm<V>.NR * columns, sums + i * stride, stride,
                        accumulate: true, edge);
                }
            }
        }

        /// <summary>
        /// sums (columns, D) += weights^T X for weights that are zero where a query does not see a key.
        /// </summary>
        /// <param name="packedX">X (rows, D), packed.</param>
        public void AddWeightedTransposed(
            float* weights, float* packedX, int columns, int d, float* sums, long stride, float* edge)
        {
            for (int j = 0; j < columns; j += MR)
            {
                int height = Math.Min(MR, columns - j);
                var (first, end) = RowsOf(j, height);
                if (first < end)
                {
                    Gemm<V>.MultiplyRows(
                        new Operand(weights + first * AttentionBlock + j, AttentionBlock, transposed: true), height, d,
                        end - first,
                        packedX + (long)first * Gemm<V>.NR, (long)Gemm<V>.NR * rows, sums + j * stride, stride,
                        accumulate: true, edge);
                }
            }
        }

        // The keys that any of some queries sees.
        private (int First, int End) ColumnsOf(int row, int count)
        {
            int first = int.MaxValue, end = 0;
            for (int i = row; i < row + count; i++)
                if (limits[2 * i] < limits[2 * i + 1])
                    (first, end) = (Math.Min(first, limits[2 * i]), Math.Max(end, limits[2 * i + 1]));
            return (first, end);
        }

        // The queries that see any of some keys.
        private (int First, int End) RowsOf(int column, int count)
        {
            int first = 0, end = rows;
            while (first < end && !Sees(first, column, count))
                first++;
            while (end > first && !Sees(end - 1, column, count))
                end--;
            return (first, end);
        }

        private bool Sees(int row, int column, int count) =>
            limits[2 * row] < column + count && limits[2 * row + 1] > column;
    }
}
