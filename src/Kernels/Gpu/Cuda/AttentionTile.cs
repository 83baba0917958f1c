namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The scores that a warp computes at a time, and for which size of a head. Four warps, one below the other, share a tile of what comes in along the other side.
/// Properties, not constants: a kernel is compiled for each.
/// </summary>
internal interface IAttentionTile
{
    /// <summary>The largest size of a head; smaller ones are filled up with zeros.</summary>
    int HeadSize { get; }

    /// <summary>Blocks of 16 rows (queries, or keys where their gradients are computed) that stay with a warp.</summary>
    int RowBlocks { get; }

    /// <summary>Blocks of 8 columns (keys, or queries) that the group goes through at a time: 4 or 8.</summary>
    int ColumnBlocks { get; }
}

/// <summary>Forward, heads of up to 32.</summary>
internal readonly struct Forward32 : IAttentionTile
{
    public int HeadSize => 32;

    public int RowBlocks => 2;

    public int ColumnBlocks => 8;
}

/// <summary>Forward, heads of up to 64.</summary>
internal readonly struct Forward64 : IAttentionTile
{
    public int HeadSize => 64;

    public int RowBlocks => 2;

    public int ColumnBlocks => 8;
}

/// <summary>Forward, heads of up to 128, whose sums leave registers for half as many columns.</summary>
internal readonly struct Forward128 : IAttentionTile
{
    public int HeadSize => 128;

    public int RowBlocks => 2;

    public int ColumnBlocks => 4;
}

/// <summary>Backward, heads of up to 32. There are two tiles of scores and of their gradients: half as many columns leave registers for both.</summary>
internal readonly struct Backward32 : IAttentionTile
{
    public int HeadSize => 32;

    public int RowBlocks => 2;

    public int ColumnBlocks => 4;
}

/// <summary>Backward, heads of up to 64.</summary>
internal readonly struct Backward64 : IAttentionTile
{
    public int HeadSize => 64;

    public int RowBlocks => 2;

    public int ColumnBlocks => 4;
}

/// <summary>Gradients of queries, heads of up to 128.</summary>
internal readonly struct BackwardQueries128 : IAttentionTile
{
    public int HeadSize => 128;

    public int RowBlocks => 2;

    public int ColumnBlocks => 4;
}

/// <summary>Gradients of keys and values, heads of up to 128: both are summed in registers, which leaves room for 16 rows only.</summary>
internal readonly struct BackwardKeys128 : IAttentionTile
{
    public int HeadSize => 128;

    public int RowBlocks => 1;

    public int ColumnBlocks => 4;
}
