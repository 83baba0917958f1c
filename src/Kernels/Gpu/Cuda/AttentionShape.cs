namespace TinyLlm.Kernels.Gpu;

/// <summary>Sizes that follow from an <see cref="IAttentionTile"/>, and the places in a group's shared memory: A's rows, B's rows, then twice a tile of columns (A's, B's).</summary>
internal static class AttentionShape
{
    /// <summary>Threads of a group: four warps.</summary>
    public const int Threads = 4 * 32;

    /// <summary>What a tile's place in shared memory is a multiple of. Dynamic shared memory starts at a multiple of 16 at least, so that groups ask for this much more.</summary>
    public const int SharedAlignment = 128;

    /// <summary>Kinds of numbers that a query has beside its column.</summary>
    public const int LogSumExp = 0, Delta = 1, Start = 2, Kinds = 3;

    /// <summary>Rows of a warp.</summary>
    public static int WarpRows<T>(T tile) where T : IAttentionTile => 16 * tile.RowBlocks;

    /// <summary>Rows of a group.</summary>
    public static int Rows<T>(T tile) where T : IAttentionTile => 4 * WarpRows(tile);

    /// <summary>Columns of a tile.</summary>
    public static int Columns<T>(T tile) where T : IAttentionTile => 8 * tile.ColumnBlocks;

    /// <summary>Panels of 64 elements in a head.</summary>
    public static int Panels<T>(T tile) where T : IAttentionTile => (tile.HeadSize + SharedTile.Depth - 1) / SharedTile.Depth;

    /// <summary>Bytes of the group's rows in a panel.</summary>
    public static int RowPanelBytes<T>(T tile) where T : IAttentionTile => Rows(tile) * SharedTile.LineBytes;

    /// <summary>Bytes of a tile's columns in a panel.</summary>
    public static int ColumnPanelBytes<T>(T tile) where T : IAttentionTile => Columns(tile) * SharedTile.LineBytes;

    /// <summary>Bytes of the group's rows of one operand.</summary>
    public static int RowBytes<T>(T tile) where T : IAttentionTile => Panels(tile) * RowPanelBytes(tile);

    /// <summary>Bytes of a tile of columns of both operands.</summary>
    public static int TileBytes<T>(T tile) where T : IAttentionTile => 2 * Panels(tile) * ColumnPanelBytes(tile);

    /// <summary>Bytes of the numbers beside a tile of queries.</summary>
    public static int NumberBytes<T>(T tile) where T : IAttentionTile => 4 * Kinds * Columns(tile);
}
