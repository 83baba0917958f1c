using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// What attention's kernels are made of: products of 64 x 64 elements, 4 x 4 of them in the registers of each thread,
/// whose operands lie in shared memory line by line. A line has one element of each of the 64 rows (or columns) of the
/// product; there are as many as the product is deep.
/// </summary>
internal sealed partial class GpuBackend
{
    // Queries, keys and columns of a tile; how much of the columns of two operands are in shared memory at once.
    private const int AttentionTile = 64, PanelDepth = 32;

    // A line's elements, four of them padding: in floats and in fours.
    private const int PanelLine = AttentionTile + 4, PanelFours = PanelLine / 4,
        PanelFloats = AttentionTile * PanelLine;

    /// <summary>Some neighbouring tokens of a head: rows of a matrix from <paramref name="place"/> on.</summary>
    private readonly struct TokenRows<T>(ArrayView<T> x, int place, int stride, int count)
        where T : unmanaged, IElement<T>
    {
        private readonly ArrayView<T> x = x;
        private readonly int place = place, stride = stride, count = count;

        /// <summary>The element, or 0 where there is none: what lies behind may be NaN.</summary>
        public float At(int row, int column, int columns) =>
            row < count && column < columns ? x[place + row * stride + column].ToFloat() : 0;
    }

    /// <summary>
    /// Products of the rows of <paramref name="a"/> with those of <paramref name="b"/>, over all <paramref name="d"/>
    /// columns: a thread has those of the four rows from 4 <paramref name="aFour"/> on with the four from 4
    /// <paramref name="bFour"/> on. The panel is free after the next barrier.
    /// </summary>
    private static Float4x4 RowProducts<T>(
        TokenRows<T> a, int aFour, TokenRows<T> b, int bFour, int d, ArrayView<float> panel)
        where T : unmanaged, IElement<T>
    {
        ArrayView<float> panelA = panel.SubView(0, PanelDepth * PanelLine),
            panelB = panel.SubView(PanelDepth * PanelLine, PanelDepth * PanelLine);
        int row = Group.IdxX / 8;
        Float4x4 sums = default;
        for (int depth = 0; depth < d; depth += PanelDepth)
        {
            // All reads from memory before the first barrier, so that they wait together.
            Float4 a0 = ReadColumns(a, row, depth, d), a1 = ReadColumns(a, row + 32, depth, d),
                b0 = ReadColumns(b, row, depth, d), b1 = ReadColumns(b, row + 32, depth, d);
            Group.Barrier(); // the panels have been read
            WriteColumns(panelA, row, a0);
            WriteColumns(panelA, row + 32, a1);
            WriteColumns(panelB, row, b0);
            WriteColumns(panelB, row + 32, b1);
            Group.Barrier();
            sums = PlusLines(sums, panelA, aFour, panelB, bFour, XMath.Min(d - depth, PanelDepth));
        }

        return sums;
    }

    /// <summary>
    /// The sums plus the products of the first lines of two panels; their lines up to the next multiple of four must be
    /// zeros.
    /// </summary>
    private static Float4x4 PlusLines(
        Float4x4 sums, ArrayView<float> panelA, int aFour, ArrayView<float> panelB, int bFour, int lines)
    {
        ArrayView<Float4> a = panelA.AsAligned(16).Cast<Float4>(), b = panelB.AsAligned(16).Cast<Float4>();
        for (int i = 0; i < lines; i += 4)
        {
            // Views, so that the four places differ by constants.
            var x = a.SubView(i * PanelFours + aFour, 3 * PanelFours + 1);
            var y = b.SubView(i * PanelFours + bFour, 3 * PanelFours + 1);
            sums = sums.PlusProduct(x[0], y[0]);
            sums = sums.PlusProduct(x[PanelFours], y[PanelFours]);
            sums = sums.PlusProduct(x[2 * PanelFours], y[2 * PanelFours]);
            sums = sums.PlusProduct(x[3 * PanelFours], y[3 * PanelFours]);
        }

        return sums;
    }

    // Eight neighbouring threads have neighbouring columns, and four of each: reads touch whole sectors, and the writes
    // of 32 threads fall in 32 banks.
    private static Float4 ReadColumns<T>(TokenRows<T> x, int row, int depth, int d) where T : unmanaged, IElement<T>
    {
        int column = depth + Group.IdxX % 8;
        return new Float4(
            x.At(row, column, d), x.At(row, column + 8, d), x.At(row, column + 16, d), x.At(row, column + 24, d));
    }

    // A row becomes an element of each line.
    private static void WriteColumns(ArrayView<float> panel, int row, Float4 x)
    {
        int line = Group.IdxX % 8;
        panel[line * PanelLine + row] = x.X;
        panel[(line + 8) * PanelLine + row] = x.Y;
        panel[(line + 16) * PanelLine + row] = x.Z;
        panel[(line + 24) * PanelLine + row] = x.W;
    }

    /// <summary>Brings 64 rows, each as a line: the 64 columns from <paramref name="column"/> on.</summary>
    private static void CopyRows<T>(TokenRows<T> x, int column, int d, ArrayView<float> panel)
        where T : unmanaged, IElement<T>
    {
        int place = Group.IdxX % AttentionTile, row = Group.IdxX / AttentionTile;
        Float4 a = ReadRows(x, row, column + place, d), b = ReadRows(x, row + 16, column + place, d);
        Float4 c = ReadRows(x, row + 32, column + place, d), e = ReadRows(x, row + 48, column + place, d);
        WriteRows(panel, row, place, a);
        WriteRows(panel, row + 16, place, b);
        WriteRows(panel, row + 32, place, c);
        WriteRows(panel, row + 48, place, e);
    }

    private static Float4 ReadRows<T>(TokenRows<T> x, int row, int column, int d) where T : unmanaged, IElement<T> =>
        new(x.At(row, column, d), x.At(row + 4, column, d), x.At(row + 8, column, d), x.At(row + 12, column, d));

    private static void WriteRows(ArrayView<float> panel, int row, int place, Float4 x)
    {
        panel[row * PanelLine + place] = x.X;
        panel[(row + 4) * PanelLine + place] = x.Y;
        panel[(row + 8) * PanelLine + place] = x.Z;
        panel[(row + 12) * PanelLine + place] = x.W;
    }

    /// <summary>Writes a thread's 4 x 4 elements: a line for each of the four rows.</summary>
    private static void WriteBlock(ArrayView<float> panel, int rowFour, int columnFour, Float4x4 block)
    {
        var lines = panel.AsAligned(16).Cast<Float4>()
            .SubView(4 * rowFour * PanelFours + columnFour, 3 * PanelFours + 1);
        lines[0] = block.X;
        lines[PanelFours] = block.Y;
        lines[2 * PanelFours] = block.Z;
        lines[3 * PanelFours] = block.W;
    }

    private static Float4x4 Transposed(Float4x4 m) => new(
        new Float4(m.X.X, m.Y.X, m.Z.X, m.W.X), new Float4(m.X.Y, m.Y.Y, m.Z.Y, m.W.Y),
        new Float4(m.X.Z, m.Y.Z, m.Z.Z, m.W.Z), new Float4(m.X.W, m.Y.W, m.Z.W, m.W.W));

    private static Float4 Times(Float4 x, float factor) => new(x.X * factor, x.Y * factor, x.Z * factor, x.W * factor);

    private static Float4x4 RowsTimes(Float4x4 m, Float4 factors) =>
        new(Times(m.X, factors.X), Times(m.Y, factors.Y), Times(m.Z, factors.Z), Times(m.W, factors.W));

    /// <summary>
    /// Writes a thread's 4 x 4 elements of a head's tokens, as far as there are that many rows and columns.
    /// </summary>
    private static void StoreBlock<T>(ArrayView<T> x, int place, int stride, int row, int rows, int column, int columns,
        Float4x4 block) where T : unmanaged, IElement<T>
    {
        StoreFour(x, place + row * stride, row < rows, column, columns, block.X);
        StoreFour(x, place + (row + 1) * stride, row + 1 < rows, column, columns, block.Y);
        StoreFour(x, place + (row + 2) * stride, row + 2 < rows, column, columns, block.Z);
        StoreFour(x, place + (row + 3) * stride, row + 3 < rows, column, columns, block.W);
    }

    private static void StoreFour<T>(ArrayView<T> x, int place, bool exists, int column, int columns, Float4 values)
        where T : unmanaged, IElement<T>
    {
        int count = exists ? columns - column : 0;
        if (count > 0)
            x[place + column] = default(T).From(values.X);
        if (count > 1)
            x[place + column + 1] = default(T).From(values.Y);
        if (count > 2)
            x[place + column + 2] = default(T).From(values.Z);
        if (count > 3)
            x[place + column + 3] = default(T).From(values.W);
    }
}
