namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// What one thread copies of an operand: one chunk of 16 bytes of every <c>linesOfPass</c>-th line of each tile
/// (<see cref="SharedTile"/>). Plain arithmetic: kernels call it, and tests check it on the host.
/// </summary>
internal readonly struct TileCopy
{
    private TileCopy(long address, long lineStep, long tileStep, int extent, int depth)
    {
        Address = address;
        LineStep = lineStep;
        TileStep = tileStep;
        Extent = extent;
        Depth = depth;
    }

    /// <summary>Address of the thread's first chunk of the first tile.</summary>
    public long Address { get; }

    /// <summary>Bytes from a chunk to the thread's next of the same tile (of the same panel).</summary>
    public long LineStep { get; }

    /// <summary>Bytes from a chunk to that of the next tile along the depth.</summary>
    public long TileStep { get; }

    /// <summary>Rows of the operand from the first chunk's (first) row on.</summary>
    public int Extent { get; }

    /// <summary>How deep the operand is from the first chunk's (first) depth on.</summary>
    public int Depth { get; }

    /// <summary>The copies of a (rows, depth) operand.</summary>
    public static TileCopy KMajor(
        long operand, int rows, int depth, int firstRow, int firstDepth, int endDepth, int thread, int linesOfPass)
    {
        int row = firstRow + thread / SharedTile.LineChunks,
            k = firstDepth + thread % SharedTile.LineChunks * SharedTile.ChunkElements;
        return new TileCopy(
            operand + 2 * ((long)row * depth + k), 2L * linesOfPass * depth, SharedTile.LineBytes, rows - row,
            endDepth - k);
    }

    /// <summary>The copies of a (depth, rows) operand.</summary>
    public static TileCopy MnMajor(
        long operand, int rows, int firstRow, int firstDepth, int endDepth, int thread, int linesOfPass)
    {
        int row = firstRow + thread % SharedTile.LineChunks * SharedTile.ChunkElements,
            k = firstDepth + thread / SharedTile.LineChunks;
        return new TileCopy(
            operand + 2 * ((long)k * rows + row), 2L * linesOfPass * rows, 2L * SharedTile.Depth * rows, rows - row,
            endDepth - k);
    }
}
