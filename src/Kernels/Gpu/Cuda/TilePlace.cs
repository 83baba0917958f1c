namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Which tile of C a group computes, and which part of the depth. Plain arithmetic: kernels call it, and tests check it
/// on the host.
/// </summary>
internal readonly struct TilePlace
{
    /// <summary>
    /// Rows of tiles that are computed together before the next column: their operands stay in the L2 cache meanwhile.
    /// </summary>
    private const int BandRows = 16;

    private TilePlace(int row, int column, int depth, int endDepth)
    {
        Row = row;
        Column = column;
        Depth = depth;
        EndDepth = endDepth;
    }

    /// <summary>First row.</summary>
    public int Row { get; }

    /// <summary>First column.</summary>
    public int Column { get; }

    /// <summary>Where the depth starts.</summary>
    public int Depth { get; }

    /// <summary>Where the depth ends.</summary>
    public int EndDepth { get; }

    /// <summary>
    /// The tile number <paramref name="index"/>, counted down a band's column first, then to the next column, then to
    /// the next band.
    /// </summary>
    public static TilePlace Of(
        int index, int part, int tileRows, int tileColumns, int rows, int columns, int depth, int depthOfPart)
    {
        int down = (rows + tileRows - 1) / tileRows, across = (columns + tileColumns - 1) / tileColumns;
        int band = index / (BandRows * across) * BandRows, inBand = index % (BandRows * across),
            height = Math.Min(BandRows, down - band);
        int first = part * depthOfPart;
        return new TilePlace(
            (band + inBand % height) * tileRows, inBand / height * tileColumns, first,
            Math.Min(first + depthOfPart, depth));
    }
}
