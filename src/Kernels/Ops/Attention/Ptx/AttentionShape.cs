namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Sizes that follow from an <see cref="IAttentionTile"/>, in bytes where they say so. In a group's shared memory lie
/// the rows of one or two operands, then two stages, each with a tile of columns of two operands, and behind it the
/// numbers that go with the columns, if any.
/// </summary>
internal static class AttentionShape
{
    /// <summary>Threads of a group: four warps.</summary>
    public const int Threads = 4 * 32;

    /// <summary>
    /// What a tile's place in shared memory is a multiple of. Dynamic shared memory starts at a multiple of 16 at
    /// least, so that groups ask for this much more.
    /// </summary>
    public const int SharedAlignment = 128;

    /// <summary>
    /// Numbers of a query that go with its column: log-sum-exp, delta, and the first key that it sees.
    /// </summary>
    public const int LogSumExp = 0, Delta = 1, FirstKey = 2, Numbers = 3;

    /// <summary>Rows of a warp.</summary>
    public static int WarpRows<T>(T tile) where T : IAttentionTile => 16 * tile.RowBlocks;

    /// <summary>Rows of a group.</summary>
    public static int Rows<T>(T tile) where T : IAttentionTile => Threads / 32 * WarpRows(tile);

    /// <summary>Columns of a tile.</summary>
    public static int Columns<T>(T tile) where T : IAttentionTile => 8 * tile.ColumnBlocks;

    /// <summary>Panels of 64 elements in a head.</summary>
    public static int Panels<T>(T tile)
        where T : IAttentionTile => (tile.HeadSize + SharedTile.Depth - 1) / SharedTile.Depth;

    /// <summary>Bytes of the group's rows in a panel.</summary>
    public static int RowPanelBytes<T>(T tile) where T : IAttentionTile => Rows(tile) * SharedTile.LineBytes;

    /// <summary>Bytes of a tile's columns in a panel.</summary>
    public static int ColumnPanelBytes<T>(T tile) where T : IAttentionTile => Columns(tile) * SharedTile.LineBytes;

    /// <summary>Bytes of the group's rows of one operand.</summary>
    public static int RowBytes<T>(T tile) where T : IAttentionTile => Panels(tile) * RowPanelBytes(tile);

    /// <summary>Bytes of a tile of columns of two operands.</summary>
    public static int TileBytes<T>(T tile) where T : IAttentionTile => 2 * Panels(tile) * ColumnPanelBytes(tile);

    /// <summary>Bytes of the numbers that go with a tile of columns.</summary>
    public static int NumberBytes<T>(T tile) where T : IAttentionTile => sizeof(float) * Numbers * Columns(tile);

    /// <summary>Bytes of shared memory of a group that keeps rows of <paramref name="rowOperands"/> operands.</summary>
    public static int SharedBytes<T>(T tile, int rowOperands, bool numbers) where T : IAttentionTile =>
        rowOperands * RowBytes(tile) + 2 * (TileBytes(tile) + (numbers ? NumberBytes(tile) : 0)) + SharedAlignment;
}
