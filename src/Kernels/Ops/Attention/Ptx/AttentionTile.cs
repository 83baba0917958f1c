namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The scores that a warp computes at a time, for heads of some size. Rows stay with a warp, and the four warps of a
/// group have different ones; columns come and go, and are the same for all. Properties, not constants: a kernel is
/// compiled for each.
/// </summary>
internal interface IAttentionTile
{
    /// <summary>The largest size of a head; smaller ones are filled up with zeros.</summary>
    int HeadSize { get; }

    /// <summary>Blocks of 16 rows. Two halve what is loaded from shared memory for a product.</summary>
    int RowBlocks { get; }

    /// <summary>Blocks of 8 columns: 4 or 8.</summary>
    int ColumnBlocks { get; }
}

/// <summary>Forward, heads of up to 32.</summary>
internal readonly struct ForwardTile32 : IAttentionTile
{
    public int HeadSize => 32;

    public int RowBlocks => 2;

    public int ColumnBlocks => 8;
}

/// <summary>Forward, heads of up to 64.</summary>
internal readonly struct ForwardTile64 : IAttentionTile
{
    public int HeadSize => 64;

    public int RowBlocks => 2;

    public int ColumnBlocks => 8;
}

/// <summary>Forward, heads of up to 128, whose sums leave registers for half as many columns.</summary>
internal readonly struct ForwardTile128 : IAttentionTile
{
    public int HeadSize => 128;

    public int RowBlocks => 2;

    public int ColumnBlocks => 4;
}

/// <summary>Backward, heads of up to 32: scores and their gradients take registers at the same time.</summary>
internal readonly struct BackwardTile32 : IAttentionTile
{
    public int HeadSize => 32;

    public int RowBlocks => 2;

    public int ColumnBlocks => 4;
}

/// <summary>Backward, heads of up to 64.</summary>
internal readonly struct BackwardTile64 : IAttentionTile
{
    public int HeadSize => 64;

    public int RowBlocks => 2;

    public int ColumnBlocks => 4;
}

/// <summary>Gradients of queries, heads of up to 128.</summary>
internal readonly struct BackwardQueryTile128 : IAttentionTile
{
    public int HeadSize => 128;

    public int RowBlocks => 2;

    public int ColumnBlocks => 4;
}

/// <summary>Gradients of keys and values, heads of up to 128: the sums of both leave registers for 16 rows.</summary>
internal readonly struct BackwardKeyTile128 : IAttentionTile
{
    public int HeadSize => 128;

    public int RowBlocks => 1;

    public int ColumnBlocks => 4;
}
