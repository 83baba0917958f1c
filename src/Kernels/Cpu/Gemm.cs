using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace TinyLlm.Kernels.Cpu;

/// <summary>One operand of a matrix product: row-major memory, read as it stands or transposed.</summary>
/// <param name="Data">Address of the first element.</param>
/// <param name="Stride">Distance between rows in memory, in elements.</param>
/// <param name="Transposed">Whether element (i, j) of the operand lies at row j, column i of the memory.</param>
internal readonly unsafe record struct Operand(nint Data, long Stride, bool Transposed)
{
    public Operand(float* data, long stride, bool transposed = false) : this((nint)data, stride, transposed) { }

    public float* Pointer => (float*)Data;

    /// <summary>The operand whose element (0, 0) is this one's (row, column).</summary>
    public Operand At(long row, long column) =>
        new(Transposed ? Pointer + column * Stride + row : Pointer + row * Stride + column, Stride, Transposed);
}

/// <summary>
/// The inner loops of the matrix product C = A B: packing of the operands into panels, and the register-blocked
/// micro-kernel that multiplies two panels. After K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix
/// Multiplication" (2008).
/// </summary>
/// <remarks>
/// A panel of A holds <see cref="MR"/> rows, element (i, k) at k * MR + i; a panel of B holds <see cref="NR"/> columns,
/// element (k, j) at k * NR + j. Short panels are filled up with zeros. Every element of C is the same chain of
/// multiply-adds over k whichever panel or thread computes it, so results do not depend on how the work is cut.
/// </remarks>
internal static unsafe class Gemm<V> where V : struct, ISimd<V>
{
    /// <summary>
    /// Rows of a panel and of the register block: 6 x 2 vectors of accumulators, 2 of B and 1 of A fill the 16
    /// registers of AVX2. With AVX-512 a block takes two panels.
    /// </summary>
    public const int MR = 6;

    /// <summary>
    /// Depth of a block: a panel of B (KC x NR floats, 24 KiB with AVX2) stays in the first-level cache.
    /// </summary>
    public const int KC = 384;

    /// <summary>Columns of the register block.</summary>
    public static int NR => 2 * V.Width;

    /// <summary>
    /// Floats that the packed form of <paramref name="rows"/> rows of A, <paramref name="depth"/> deep, takes.
    /// </summary>
    public static long PackedSizeA(int rows, int depth) => (long)(rows + MR - 1) / MR * MR * depth;

    /// <summary>
    /// Floats that the packed form of <paramref name="columns"/> columns of B, <paramref name="depth"/> deep, takes.
    /// </summary>
    public static long PackedSizeB(int columns, int depth) => (long)(columns + NR - 1) / NR * NR * depth;

    /// <summary>Packs a (rows, depth) block of A into panels of MR rows.</summary>
    public static void PackA(Operand a, int rows, int depth, float* packed)
    {
        for (int i = 0; i < rows; i += MR, packed += (long)MR * depth)
        {
            var panel = a.At(i, 0);
            int height = Math.Min(MR, rows - i);
            if (height < MR)
            {
                PackEdge(panel.Pointer, panel.Transposed ? panel.Stride : 1, panel.Transposed ? 1
                    : panel.Stride, depth, height, MR, packed);
            }
            else if (panel.Transposed)
                PackRowsOfSix(panel.Pointer, panel.Stride, depth, packed);
            else
                InterleaveSix(panel.Pointer, panel.Stride, depth, packed);
        }
    }

    /// <summary>Packs a (depth, columns) block of B into panels of NR columns.</summary>
    public static void PackB(Operand b, int columns, int depth, float* packed)
    {
        for (int j = 0; j < columns; j += NR, packed += (long)NR * depth)
        {
            var panel = b.At(0, j);
            int width = Math.Min(NR, columns - j);
            if (width < NR)
            {
                PackEdge(panel.Pointer, panel.Transposed ? 1 : panel.Stride, panel.Transposed ? panel.Stride
                    : 1, depth, width, NR, packed);
            }
            else if (panel.Transposed)
                TransposePanel(panel.Pointer, panel.Stride, depth, packed);
            else
                CopyPanel(panel.Pointer, panel.Stride, depth, packed);
        }
    }

    /// <summary>
    /// Multiplies packed blocks: C (rows, columns) = A B, or += where <paramref name="accumulate"/>.
    /// </summary>
    /// <param name="edge">Room for MR x NR floats, for tiles that reach over the border of C.</param>
    public static void Multiply(
        int rows, int columns, int depth, float* packedA, float* packedB, float* c, long strideC, bool accumulate,
        float* edge)
    {
        for (int j = 0; j < columns; j += NR)
        {
            float* panelB = packedB + (long)j * depth;
            int width = Math.Min(NR, columns - j);
            int i = 0;
            if (typeof(V) == typeof(Simd512) && width == NR)
            {
                for (; i + 2 * MR <= rows; i += 2 * MR)
                {
                    MicroOfTwoPanels(
                        depth, packedA + (long)i * depth, panelB, c + i * strideC + j, strideC, accumulate);
                }
            }

            for (; i < rows; i += MR)
            {
                Tile(new PackedRows(packedA + (long)i * depth), Math.Min(MR, rows - i), width, depth, panelB,
                    c + i * strideC + j, strideC, accumulate, edge);
            }
        }
    }

    /// <summary>
    /// Multiplies up to <see cref="MR"/> rows of A, as they lie in memory, with packed columns of B: C (height,
    /// columns) = A B, or += where
    /// <paramref name="accumulate"/>. For small products, which would take longer to pack A than to multiply it.
    /// </summary>
    /// <param name="a">The rows, from the first column that counts on.</param>
    /// <param name="depth">How many columns of A count.</param>
    /// <param name="panelB">The first panel of B, from the first row that counts on.</param>
    /// <param name="panelSize">Distance between panels of B, in floats.</param>
    /// <param name="edge">Room for MR x NR floats, for tiles that reach over the border of C.</param>
    public static void MultiplyRows(
        Operand a, int height, int columns, int depth, float* panelB, long panelSize, float* c, long strideC,
        bool accumulate, float* edge)
    {
        long rowStride = a.Transposed ? 1 : a.Stride, columnStride = a.Transposed ? a.Stride : 1;
        for (int j = 0; j < columns; j += NR, panelB += panelSize)
        {
            int width = Math.Min(NR, columns - j);
            if (height == MR)
            {
                Tile(new StridedRows(a.Pointer, rowStride, columnStride), height, width, depth, panelB, c + j, strideC,
                    accumulate, edge);
            }
            else
            {
                Tile(new FewRows(a.Pointer, rowStride, columnStride, height - 1), height, width, depth, panelB, c + j,
                    strideC, accumulate, edge);
            }
        }
    }

    private static void Tile<A>(
        A a, int height, int width, int depth, float* panelB, float* c, long strideC, bool accumulate, float* edge)
        where A : struct, IRows<A>
    {
        if (height == MR && width == NR)
        {
            Micro(depth, a, panelB, c, strideC, accumulate);
            return;
        }

        Micro(depth, a, panelB, edge, NR, accumulate: false);
        for (int row = 0; row < height; row++, c += strideC, edge += NR)
        {
            for (int column = 0; column < width; column += V.Width)
            {
                V sum = V.Load(edge + column);
                V.Store(c + column, accumulate ? V.Load(c + column, width - column) + sum : sum, width - column);
            }
        }
    }

    /// <summary>Where the MR elements of one column of A are.</summary>
    private interface IRows<A> where A : struct, IRows<A>
    {
        float* At(int row);

        /// <summary>The same for the column that is <paramref name="columns"/> further.</summary>
        A Next(int columns);
    }

    private readonly struct PackedRows(float* a) : IRows<PackedRows>
    {
        public float* At(int row) => a + row;

        public PackedRows Next(int columns) => new(a + columns * MR);
    }

    private readonly struct StridedRows(float* a, long rowStride, long columnStride) : IRows<StridedRows>
    {
        public float* At(int row) => a + row * rowStride;

        public StridedRows Next(int columns) => new(a + columns * columnStride, rowStride, columnStride);
    }

    // Rows that are not there are the last one once more; their sums are left in the edge.
    private readonly struct FewRows(float* a, long rowStride, long columnStride, int last) : IRows<FewRows>
    {
        public float* At(int row) => a + Math.Min(row, last) * rowStride;

        public FewRows Next(int columns) => new(a + columns * columnStride, rowStride, columnStride, last);
    }

    /// <summary>C (MR, NR) = or += A x B panel: 12 accumulators, one rank-1 update per k.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Micro<A>(int depth, A a, float* b, float* c, long strideC, bool accumulate)
        where A : struct, IRows<A>
    {
        V c00 = V.Zero, c01 = V.Zero, c10 = V.Zero, c11 = V.Zero, c20 = V.Zero, c21 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c40 = V.Zero, c41 = V.Zero, c50 = V.Zero, c51 = V.Zero;

        // C is needed in a few hundred cycles: ask for it now.
        for (int i = 0; i < MR; i++)
        {
            Prefetch(c + i * strideC);
            Prefetch(c + i * strideC + NR - 1);
        }

        // Unrolled by four: the loop's own instructions would take a tenth of the time.
        int k = 0;
        for (; k + 4 <= depth; k += 4)
        {
            if (typeof(A) == typeof(PackedRows))
                Prefetch(a.At(16 * MR));
            Step(a, V.Load(b), V.Load(b + V.Width), ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30,
                ref c31, ref c40, ref c41, ref c50, ref c51);
            Step(a.Next(1), V.Load(b + NR), V.Load(b + NR + V.Width), ref c00, ref c01, ref c10, ref c11, ref c20,
                ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
            Step(a.Next(2), V.Load(b + 2 * NR), V.Load(b + 2 * NR + V.Width), ref c00, ref c01, ref c10, ref c11,
                ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
            Step(a.Next(3), V.Load(b + 3 * NR), V.Load(b + 3 * NR + V.Width), ref c00, ref c01, ref c10, ref c11,
                ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
            a = a.Next(4);
            b += 4 * NR;
        }

        for (; k < depth; k++, a = a.Next(1), b += NR)
        {
            Step(a, V.Load(b), V.Load(b + V.Width), ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30,
                ref c31, ref c40, ref c41, ref c50, ref c51);
        }

        StoreRow(c, c00, c01, accumulate);
        StoreRow(c + strideC, c10, c11, accumulate);
        StoreRow(c + 2 * strideC, c20, c21, accumulate);
        StoreRow(c + 3 * strideC, c30, c31, accumulate);
        StoreRow(c + 4 * strideC, c40, c41, accumulate);
        StoreRow(c + 5 * strideC, c50, c51, accumulate);
    }

    /// <summary>
    /// The same for two panels of A that lie one behind the other, C (2 MR, NR): 24 accumulators, which the 32
    /// registers of AVX-512 hold. Each vector of B that is loaded serves twice as many rows, and the sums have the same
    /// bits.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MicroOfTwoPanels(int depth, float* panels, float* b, float* c, long strideC, bool accumulate)
    {
        V c00 = V.Zero, c01 = V.Zero, c10 = V.Zero, c11 = V.Zero, c20 = V.Zero, c21 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c40 = V.Zero, c41 = V.Zero, c50 = V.Zero, c51 = V.Zero;
        V d00 = V.Zero, d01 = V.Zero, d10 = V.Zero, d11 = V.Zero, d20 = V.Zero, d21 = V.Zero;
        V d30 = V.Zero, d31 = V.Zero, d40 = V.Zero, d41 = V.Zero, d50 = V.Zero, d51 = V.Zero;
        var top = new PackedRows(panels);
        var bottom = new PackedRows(panels + (long)MR * depth);
        for (int i = 0; i < 2 * MR; i++)
        {
            Prefetch(c + i * strideC);
            Prefetch(c + i * strideC + NR - 1);
        }

        for (int k = 0; k < depth; k++)
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Width);
            Step(top, b0, b1, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41,
                ref c50, ref c51);
            Step(bottom, b0, b1, ref d00, ref d01, ref d10, ref d11, ref d20, ref d21, ref d30, ref d31, ref d40,
                ref d41, ref d50, ref d51);
            top = top.Next(1);
            bottom = bottom.Next(1);
            b += NR;
        }

        StoreRow(c, c00, c01, accumulate);
        StoreRow(c + strideC, c10, c11, accumulate);
        StoreRow(c + 2 * strideC, c20, c21, accumulate);
        StoreRow(c + 3 * strideC, c30, c31, accumulate);
        StoreRow(c + 4 * strideC, c40, c41, accumulate);
        StoreRow(c + 5 * strideC, c50, c51, accumulate);
        StoreRow(c + 6 * strideC, d00, d01, accumulate);
        StoreRow(c + 7 * strideC, d10, d11, accumulate);
        StoreRow(c + 8 * strideC, d20, d21, accumulate);
        StoreRow(c + 9 * strideC, d30, d31, accumulate);
        StoreRow(c + 10 * strideC, d40, d41, accumulate);
        StoreRow(c + 11 * strideC, d50, d51, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<A>(A a, V b0, V b1, ref V c00, ref V c01, ref V c10, ref V c11, ref V c20, ref V c21,
        ref V c30, ref V c31, ref V c40, ref V c41, ref V c50, ref V c51) where A : struct, IRows<A>
    {
        V x = V.Create(*a.At(0));
        c00 = V.MultiplyAdd(x, b0, c00);
        c01 = V.MultiplyAdd(x, b1, c01);
        x = V.Create(*a.At(1));
        c10 = V.MultiplyAdd(x, b0, c10);
        c11 = V.MultiplyAdd(x, b1, c11);
        x = V.Create(*a.At(2));
        c20 = V.MultiplyAdd(x, b0, c20);
        c21 = V.MultiplyAdd(x, b1, c21);
        x = V.Create(*a.At(3));
        c30 = V.MultiplyAdd(x, b0, c30);
        c31 = V.MultiplyAdd(x, b1, c31);
        x = V.Create(*a.At(4));
        c40 = V.MultiplyAdd(x, b0, c40);
        c41 = V.MultiplyAdd(x, b1, c41);
        x = V.Create(*a.At(5));
        c50 = V.MultiplyAdd(x, b0, c50);
        c51 = V.MultiplyAdd(x, b1, c51);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow(float* c, V left, V right, bool accumulate)
    {
        V.Store(c, accumulate ? V.Load(c) + left : left);
        V.Store(c + V.Width, accumulate ? V.Load(c + V.Width) + right : right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* address)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(address);
    }

    // Six rows of memory, side by side: rows 0 to 3 and rows 2 to 5, which overlap, so that all is done with vectors of
    // four.
    private static void InterleaveSix(float* a, long stride, int depth, float* packed)
    {
        int k = 0;
        if (V.Width >= 4)
        {
            for (; k + 4 <= depth; k += 4)
            {
                Simd128.Transpose(a + k, stride, packed + k * MR, MR);
                Simd128.Transpose(a + 2 * stride + k, stride, packed + k * MR + 2, MR);
            }
        }

        for (; k < depth; k++)
            for (int i = 0; i < MR; i++)
                packed[k * MR + i] = a[i * stride + k];
    }

    // Each row of memory holds the six elements of one k.
    private static void PackRowsOfSix(float* a, long stride, int depth, float* packed)
    {
        for (int k = 0; k < depth; k++, packed += MR, a += stride)
        {
            Simd128.Store(packed, Simd128.Load(a));
            Simd128.Store(packed + 2, Simd128.Load(a + 2));
        }
    }

    private static void CopyPanel(float* b, long stride, int depth, float* packed)
    {
        for (int k = 0; k < depth; k++, packed += NR, b += stride)
        {
            V.Store(packed, V.Load(b));
            V.Store(packed + V.Width, V.Load(b + V.Width));
        }
    }

    private static void TransposePanel(float* b, long stride, int depth, float* packed)
    {
        int k = 0;
        for (; k + V.Width <= depth; k += V.Width)
        {
            V.Transpose(b + k, stride, packed + k * NR, NR);
            V.Transpose(b + V.Width * stride + k, stride, packed + k * NR + V.Width, NR);
        }

        for (; k < depth; k++)
            for (int j = 0; j < NR; j++)
                packed[k * NR + j] = b[j * stride + k];
    }

    private static void PackEdge(
        float* source, long depthStride, long laneStride, int depth, int lanes, int panel, float* packed)
    {
        for (int k = 0; k < depth; k++, packed += panel)
            for (int lane = 0; lane < panel; lane++)
                packed[lane] = lane < lanes ? source[k * depthStride + lane * laneStride] : 0;
    }
}
