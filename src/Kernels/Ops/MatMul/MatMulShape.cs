namespace TinyLlm.Kernels.Gpu;

/// <summary>Sizes that follow from a tile.</summary>
internal static class MatMulShape
{
    /// <summary>
    /// What a tile's place in shared memory is a multiple of: 8 lines, after which the swizzle repeats. Dynamic shared
    /// memory need not start at one, so that groups ask for this much more.
    /// </summary>
    public const int SharedAlignment = 8 * SharedTile.LineBytes;

    /// <summary>Warps of a group that multiply.</summary>
    public static int Warps(IMatMulTile tile) => tile.Rows / tile.WarpRows * (tile.Columns / tile.WarpColumns);

    /// <summary>Their threads.</summary>
    public static int Threads(IMatMulTile tile) => 32 * Warps(tile);

    /// <summary>Bytes of a tile of both operands in shared memory.</summary>
    public static int StageBytes(IMatMulTile tile) => (tile.Rows + tile.Columns) * SharedTile.LineBytes;

    /// <summary>Columns of a warpgroup's warp's sums that leave through its share of shared memory at a time.</summary>
    public const int SumsColumns = 64;

    /// <summary>Bytes of that share.</summary>
    public const int SumsBytes = 16 * SumsColumns * sizeof(float);

    /// <summary>Bytes of dynamic shared memory of a group.</summary>
    public static int SharedBytes(IMatMulTile tile) => SharedAlignment +
        (tile.UsesWarpgroups ? tile.Stages * (StageBytes(tile) + WarpgroupText.BarrierBytes) + Warps(tile) * SumsBytes
        : tile.Stages * StageBytes(tile));
}
