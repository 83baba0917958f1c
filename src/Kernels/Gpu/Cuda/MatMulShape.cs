namespace TinyLlm.Kernels.Gpu;

/// <summary>Sizes that follow from a tile, and the order in which groups take the tiles of C.</summary>
internal static class MatMulShape
{
    /// <summary>Rows of tiles that are computed together before the next column: their operands stay in the L2 cache meanwhile.</summary>
    private const int BandRows = 16;

    /// <summary>
    /// What a tile's place in shared memory is a multiple of: 8 lines, after which the swizzle repeats. Dynamic shared memory need not start at one, so that groups ask
    /// for this much more.
    /// </summary>
    public const int SharedAlignment = 8 * SharedTile.LineBytes;

    /// <summary>Threads of a group.</summary>
    public static int Threads(IMatMulTile tile) => tile.Rows / tile.WarpRows * (tile.Columns / tile.WarpColumns) * 32;

    /// <summary>Bytes of a tile of both operands in shared memory.</summary>
    public static int StageBytes(IMatMulTile tile) => (tile.Rows + tile.Columns) * SharedTile.LineBytes;

    /// <summary>Bytes of dynamic shared memory of a group.</summary>
    public static int SharedBytes(IMatMulTile tile) => tile.Stages * StageBytes(tile) + SharedAlignment;

    /// <summary>Row of tiles of group <paramref name="index"/>: down a band's column first, then to the next column, then to the next band.</summary>
    public static int TileRow(int index, int tileRows, int tileColumns)
    {
        int band = index / (BandRows * tileColumns) * BandRows;
        return band + index % (BandRows * tileColumns) % Math.Min(BandRows, tileRows - band);
    }

    /// <summary>Column of tiles of group <paramref name="index"/>.</summary>
    public static int TileColumn(int index, int tileRows, int tileColumns)
    {
        int band = index / (BandRows * tileColumns) * BandRows;
        return index % (BandRows * tileColumns) / Math.Min(BandRows, tileRows - band);
    }
}
