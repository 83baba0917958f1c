namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    // Rows of A that a thread packs at once: with KC deep 144 KiB, which leaves room for B's panel in the second-level
    // cache.
    private const int MaxRowsPerItem = 96;

    // Columns of B that are packed at once: with KC deep 4.5 MiB, a share of the last-level cache.
    private const int MaxColumns = 3072;

    // y (M, N) = x (M, K) W^T + b
    private protected override void MatMulCore(Tensor x, Tensor weight, Tensor? bias, Tensor y)
    {
        int m = x.Shape[0], k = x.Shape[1], n = weight.Shape[0];
        if (m <= MatVecKernel.MaxRows)
            MatVec(Pointer(x), Pointer(weight), Pointer(bias), Pointer(y), m, n, k);
        else
        {
            Multiply(m, n, k, new Operand(Pointer(x), k), new Operand(Pointer(weight), k, transposed: true), Pointer(y),
                accumulate: false, new BiasEpilogue(Pointer(bias), Pointer(y), n));
        }
    }

    // dx (M, K) = dy (M, N) W
    private protected override void MatMulBackwardInputCore(Tensor dy, Tensor weight, Tensor dx, bool accumulate)
    {
        int m = dy.Shape[0], n = dy.Shape[1], k = weight.Shape[1];
        Multiply(m, k, n, new Operand(Pointer(dy), n), new Operand(Pointer(weight), k), Pointer(dx), accumulate,
            default(NoEpilogue));
    }

    // dW (N, K) = or += dy^T (N, M) x (M, K);  db (N) += column sums of dy
    private protected override void MatMulBackwardWeightCore(
        Tensor dy, Tensor x, Tensor dWeight, Tensor? dBias, bool accumulate)
    {
        int m = dy.Shape[0], n = dy.Shape[1], k = x.Shape[1];
        Multiply(n, k, m, new Operand(Pointer(dy), n, transposed: true), new Operand(Pointer(x), k), Pointer(dWeight),
            accumulate, default(NoEpilogue));
        if (dBias is { } sums)
            AddColumnSums(Pointer(dy), m, n, Pointer(sums));
    }

    /// <summary>
    /// C (M, N) = A (M, K) B (K, N), or += where <paramref name="accumulate"/>, and then what the epilogue does; C's
    /// rows lie N apart.
    /// </summary>
    private void Multiply<E>(int m, int n, int k, Operand a, Operand b, float* c, bool accumulate, E epilogue)
        where E : struct, IEpilogue =>
            Multiply(m, n, k, a, new OperandColumns(b), c, accumulate, epilogue);

    /// <summary>The same for columns of B that are not floats in memory.</summary>
    private void Multiply<B, E>(int m, int n, int k, Operand a, B b, float* c, bool accumulate, E epilogue)
        where B : struct, IColumns where E : struct, IEpilogue
    {
        if (m == 0 || n == 0)
            return;
        for (int column = 0; column < n; column += MaxColumns)
        {
            int columns = Math.Min(MaxColumns, n - column);
            for (int depth = 0; depth < k; depth += Gemm<V>.KC)
            {
                int depths = Math.Min(Gemm<V>.KC, k - depth);
                float* packedB = SharedScratch(SharedPanels, Gemm<V>.PackedSizeB(columns, depths));
                var pack = new PackKernel<B>(b, column, columns, depth, depths, packedB, pool.Threads);
                pool.Run(pack, pack.Items);

                var grid = TileGrid.For(m, columns, pool.Threads);
                var tiles = new TileKernel<E>(
                    this, grid, a.At(0, depth), depths, packedB, c, n, column, accumulate
                    || depth > 0, epilogue, isLast: depth + depths == k);
                pool.Run(tiles, grid.Items);
            }
        }
    }

    /// <summary>How C is cut into items: how many depends on the threads, but no element's value does.</summary>
    private readonly record struct TileGrid(int Rows, int Columns, int RowsPerItem, int ColumnsPerItem)
    {
        private int ColumnItems => CpuBackend<V>.Items(Columns, ColumnsPerItem);

        public int Items => CpuBackend<V>.Items(Rows, RowsPerItem) * ColumnItems;

        public (int Row, int Column) Start(int item) =>
            (item / ColumnItems * RowsPerItem, item % ColumnItems * ColumnsPerItem);

        public static TileGrid For(int rows, int columns, int threads)
        {
            // A multiple of the threads, in equal parts, so that nobody waits for the last one.
            const int mr = Gemm<V>.MR;
            int rowItems = CpuBackend<V>.Items(rows, MaxRowsPerItem);
            int columnItems = 1;
            if (threads > 1)
            {
                rowItems = Math.Min((rowItems + threads - 1) / threads * threads, CpuBackend<V>.Items(rows, 4 * mr));
                if (rowItems < threads)
                {
                    columnItems =
                        Math.Min((threads + rowItems - 1) / rowItems, CpuBackend<V>.Items(columns, 4 * Gemm<V>.NR));
                }
            }

            int rowsPerItem = RoundUp((rows + rowItems - 1) / rowItems, mr);
            int columnsPerItem = RoundUp((columns + columnItems - 1) / columnItems, Gemm<V>.NR);
            return new TileGrid(rows, columns, rowsPerItem, columnsPerItem);
        }

        private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;
    }

    /// <summary>Where the columns of B come from.</summary>
    private interface IColumns
    {
        /// <summary>
        /// Packs <paramref name="columns"/> columns, <paramref name="depths"/> deep, from (depth, column) on into
        /// panels.
        /// </summary>
        void Pack(int column, int columns, int depth, int depths, float* packed, int thread);
    }

    private readonly struct OperandColumns(Operand b) : IColumns
    {
        public void Pack(int column, int columns, int depth, int depths, float* packed, int thread) =>
            Gemm<V>.PackB(b.At(depth, column), columns, depths, packed);
    }

    /// <summary>Packs some panels of B's columns.</summary>
    private readonly struct PackKernel<B>(
        B b, int column, int columns, int depth, int depths, float* packed, int threads) : IKernel
        where B : struct, IColumns
    {
        private const int MaxPanelsPerItem = 8;

        // All threads have a part of a narrow B.
        private readonly int columnsPerItem = Gemm<V>.NR
            * Math.Clamp(CpuBackend<V>.Items(columns, Gemm<V>.NR) / threads, 1, MaxPanelsPerItem);

        public int Items => CpuBackend<V>.Items(columns, columnsPerItem);

        public void Run(int item, int thread)
        {
            int first = item * columnsPerItem;
            b.Pack(column + first, Math.Min(columnsPerItem, columns - first), depth, depths,
                packed + (long)first * depths, thread);
        }
    }

    /// <summary>
    /// Packs a block of A's rows and multiplies it with packed columns of B, the columns of C from
    /// <paramref name="firstColumn"/> on.
    /// </summary>
    private readonly struct TileKernel<E>(CpuBackend<V> backend, TileGrid grid, Operand a, int depth, float* packedB,
        float* c, long strideC, int firstColumn,
        bool accumulate, E epilogue, bool isLast) : IKernel where E : struct, IEpilogue
    {
        // What is multiplied is still in the second-level cache when its epilogue comes.
        private static int ColumnsOfStrip => 16 * Gemm<V>.NR;

        public void Run(int item, int thread)
        {
            var (row, column) = grid.Start(item);
            int rows = Math.Min(grid.RowsPerItem, grid.Rows - row),
                end = Math.Min(column + grid.ColumnsPerItem, grid.Columns);
            long packedSize = Gemm<V>.PackedSizeA(rows, depth);
            float* packedA = backend.Scratch(thread, packedSize + Gemm<V>.MR * Gemm<V>.NR);
            Gemm<V>.PackA(a.At(row, 0), rows, depth, packedA);
            for (; column < end; column += ColumnsOfStrip)
            {
                int columns = Math.Min(ColumnsOfStrip, end - column);
                Gemm<V>.Multiply(
                    rows, columns, depth, packedA, packedB + (long)column * depth,
                    c + row * strideC + firstColumn + column, strideC, accumulate, edge: packedA + packedSize);
                if (!isLast || typeof(E) == typeof(NoEpilogue))
                    continue;
                for (int i = row; i < row + rows; i++)
                    epilogue.Apply(i, firstColumn + column, columns);
            }
        }
    }

    // Four chains of multiply-adds, because one would wait for its own result.
    private static float Dot(float* a, float* b, int n)
    {
        V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        int i = 0, w = V.Width;
        for (; i + 4 * w <= n; i += 4 * w)
        {
            s0 = V.MultiplyAdd(V.Load(a + i), V.Load(b + i), s0);
            s1 = V.MultiplyAdd(V.Load(a + i + w), V.Load(b + i + w), s1);
            s2 = V.MultiplyAdd(V.Load(a + i + 2 * w), V.Load(b + i + 2 * w), s2);
            s3 = V.MultiplyAdd(V.Load(a + i + 3 * w), V.Load(b + i + 3 * w), s3);
        }

        for (; i < n; i += w)
            s0 = V.MultiplyAdd(V.Load(a + i, n - i), V.Load(b + i, n - i), s0);
        return V.Sum(s0 + s1 + (s2 + s3));
    }

    private static void AddRow(float* y, float* x, int n)
    {
        for (int i = 0; i < n; i += V.Width)
            V.Store(y + i, V.Load(y + i, n - i) + V.Load(x + i, n - i), n - i);
    }

    // Each item sums some columns over all rows, in the order of the rows.
    private void AddColumnSums(float* x, int rows, int columns, float* sums) =>
        pool.Run(new ColumnSumKernel(x, rows, columns, sums), Items(columns, ColumnSumKernel.ColumnsPerItem));

    private readonly struct ColumnSumKernel(float* x, int rows, int columns, float* sums) : IKernel
    {
        public static int ColumnsPerItem => 4 * V.Width;

        public void Run(int item, int thread)
        {
            int first = item * ColumnsPerItem, count = Math.Min(ColumnsPerItem, columns - first);
            float* row = x + first;
            if (count < ColumnsPerItem)
            {
                for (int column = 0; column < count; column += V.Width)
                    AddColumns(row + column, count - column, sums + first + column);
                return;
            }

            // Four sums in registers, because one would wait for its own result.
            V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
            for (int i = 0; i < rows; i++, row += columns)
            {
                s0 += V.Load(row);
                s1 += V.Load(row + V.Width);
                s2 += V.Load(row + 2 * V.Width);
                s3 += V.Load(row + 3 * V.Width);
            }

            Add(sums + first, s0);
            Add(sums + first + V.Width, s1);
            Add(sums + first + 2 * V.Width, s2);
            Add(sums + first + 3 * V.Width, s3);
        }

        private static void Add(float* y, V x) => V.Store(y, V.Load(y) + x);

        private void AddColumns(float* column, int count, float* total)
        {
            V sum = V.Zero;
            for (int i = 0; i < rows; i++, column += columns)
                sum += V.Load(column, count);
            V.Store(total, V.Load(total, count) + sum, count);
        }
    }
}
