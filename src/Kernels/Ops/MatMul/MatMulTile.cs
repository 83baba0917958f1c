namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The part of a product that a group computes, and how its warps share it. Properties, not constants: a kernel is
/// compiled for each.
/// </summary>
internal interface IMatMulTile
{
    /// <summary>Rows of C that a group computes.</summary>
    int Rows { get; }

    /// <summary>Columns of C that a group computes.</summary>
    int Columns { get; }

    /// <summary>Rows of them that a warp computes: a multiple of 16.</summary>
    int WarpRows { get; }

    /// <summary>Columns of them that a warp computes: 32, or a multiple of 64.</summary>
    int WarpColumns { get; }

    /// <summary>Tiles of the depth in shared memory.</summary>
    int Stages { get; }

    /// <summary>Whether warpgroups multiply it (compute capability 9.0), and not single warps.</summary>
    bool UsesWarpgroups { get; }
}

/// <summary>8 warps: the fewest loads for a product, where there is one for every multiprocessor.</summary>
internal readonly struct Tile128x256 : IMatMulTile
{
    public int Rows => 128;

    public int Columns => 256;

    public int WarpRows => 64;

    public int WarpColumns => 64;

    public int Stages => 3;

    public bool UsesWarpgroups => false;
}

/// <summary>4 warps; two groups of them fit a multiprocessor of compute capability 9.0.</summary>
internal readonly struct Tile128x128 : IMatMulTile
{
    public int Rows => 128;

    public int Columns => 128;

    public int WarpRows => 64;

    public int WarpColumns => 64;

    public int Stages => 3;

    public bool UsesWarpgroups => false;
}

/// <summary>4 warps, for small products.</summary>
internal readonly struct Tile64x64 : IMatMulTile
{
    public int Rows => 64;

    public int Columns => 64;

    public int WarpRows => 32;

    public int WarpColumns => 32;

    public int Stages => 3;

    public bool UsesWarpgroups => false;
}

/// <summary>
/// 2 warpgroups of compute capability 9.0, each with 64 rows and all columns; their warps have 16 rows each.
/// </summary>
internal readonly struct WarpgroupTile128x256 : IMatMulTile
{
    public int Rows => 128;

    public int Columns => 256;

    public int WarpRows => 16;

    public int WarpColumns => 256;

    public int Stages => 4;

    public bool UsesWarpgroups => true;
}

/// <summary>Likewise, for products that have too few of the larger tiles.</summary>
internal readonly struct WarpgroupTile128x128 : IMatMulTile
{
    public int Rows => 128;

    public int Columns => 128;

    public int WarpRows => 16;

    public int WarpColumns => 128;

    public int Stages => 6;

    public bool UsesWarpgroups => true;
}

/// <summary>Which dimension of an operand is contiguous.</summary>
internal interface IMatMulLayout
{
    /// <summary>
    /// Whether it is the depth, along which products are summed; otherwise it is the one that C has too.
    /// </summary>
    bool KMajor { get; }
}

/// <summary>(rows, depth), row-major: x and W of y = x W^T.</summary>
internal readonly struct KMajor : IMatMulLayout
{
    bool IMatMulLayout.KMajor => true;
}

/// <summary>(depth, rows), row-major: dy and x of dW = dy^T x.</summary>
internal readonly struct MnMajor : IMatMulLayout
{
    bool IMatMulLayout.KMajor => false;
}
