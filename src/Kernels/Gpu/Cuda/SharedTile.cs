namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Where the elements of an operand's tile lie in shared memory, and which of them each lane of a warp holds. Plain
/// arithmetic: kernels call it, and tests check it on the host.
/// </summary>
/// <remarks>
/// A tile is a run of lines of 64 bf16 elements: 128 bytes, all 32 banks once, in 8 chunks of 16 bytes. A K-major
/// operand's line is a row of it, 64 deep. An MN-major operand's line is 64 of its rows at one depth; 64 such lines,
/// one for each depth, are a panel, and the tile is a run of panels. Chunk c of line l lies in place c ^ (l % 8) of its
/// line, which is the 128-byte swizzle that the tensor cores of compute capability 9.0 know too: neither the copies, 8
/// threads to a line, nor <c>ldmatrix</c>, which reads one chunk of 8 lines at a time, meet a bank twice.
/// </remarks>
internal static class SharedTile
{
    /// <summary>The depth of a tile, and the elements of a line.</summary>
    public const int Depth = 64;

    /// <summary>Bytes of a line.</summary>
    public const int LineBytes = 2 * Depth;

    /// <summary>Elements of a chunk, the unit of copies.</summary>
    public const int ChunkElements = 8;

    /// <summary>Chunks of a line.</summary>
    public const int LineChunks = Depth / ChunkElements;

    /// <summary>
    /// The upper half of a matrix descriptor of <c>wgmma</c> (PTX ISA, "Matrix descriptor format"): the 128-byte
    /// swizzle, and 8 lines as the distance between groups of 8 rows (K-major) or of 8 depths (MN-major).
    /// </summary>
    public const int DescriptorHigh = (1 << 30) | ((8 * LineBytes) >> 4);

    /// <summary>
    /// Place of chunk <paramref name="chunk"/> of line <paramref name="line"/> in its tile, in bytes.
    /// </summary>
    public static int Offset(int line, int chunk) => line * LineBytes + ((chunk ^ (line & 7)) << 4);

    /// <summary>
    /// Place of the chunk whose address <paramref name="lane"/> gives to <c>ldmatrix.x4</c>, which loads the fragments
    /// of an operand's 16 rows from
    /// <paramref name="row"/>, a multiple of 16, and the first 16 of the depth. An MN-major tile is read with
    /// <c>.trans</c>.
    /// </summary>
    /// <remarks>
    /// <c>ldmatrix</c> loads four 8 x 8 matrices, one a register; lanes 8i to 8i + 7 give the addresses of matrix i.
    /// <c>mma</c> wants those of A in the order rows 0-7, rows 8-15 of the depths 0-7, then of the depths 8-15; those
    /// of B (two blocks of 8 of its rows) each block's two depths together. 16 rows further on, a K-major tile's place
    /// is 2048 bytes further, an MN-major tile's (within its panel) is changed by the exclusive or with 32. 16 further
    /// in the depth it is the other way round.
    /// </remarks>
    public static int FragmentOffset(bool kMajor, bool isB, int row, int lane)
    {
        int eighth = lane & 7, first = lane & 8, second = (lane >> 1) & 8;
        int rowOfLane = row + (isB ? second : first), depth = isB ? first : second;
        return kMajor
            ? Offset(rowOfLane + eighth, depth / ChunkElements)
            : Offset(rowOfLane / Depth * Depth + depth + eighth, rowOfLane % Depth / ChunkElements);
    }

    /// <summary>
    /// How much further a tile's next 16 of the depth lie, for tensor cores that read shared memory themselves: they
    /// add before they swizzle.
    /// </summary>
    public static int BytesOfStep(bool kMajor) => kMajor ? 2 * 16 : LineBytes * 16;

    /// <summary>
    /// The lower half: where the tile starts in shared memory, at a multiple of 8 lines, and, for an MN-major one, the
    /// distance between panels.
    /// </summary>
    public static int DescriptorLow(bool kMajor, int place) =>
        DescriptorStep(place) | ((kMajor ? 1 : DescriptorStep(Depth * LineBytes)) << 16);

    /// <summary>What is added to the lower half to turn to a place so many bytes further.</summary>
    public static int DescriptorStep(int bytes) => bytes >> 4;

    /// <summary>
    /// Row, within the 16 x 8 tile of sums of one <c>mma</c>, of the four that <paramref name="lane"/> holds: the first
    /// two lie side by side in this row, the others 8 rows below.
    /// </summary>
    public static int SumRow(int lane) => lane >> 2;

    /// <summary>Column of the first and the third of them.</summary>
    public static int SumColumn(int lane) => (lane & 3) * 2;

    /// <summary>
    /// Place of a sum on its way out through shared memory, in bytes: a warp's <paramref name="width"/> (32 or 64)
    /// columns wide tile of single-precision numbers, in chunks of four. Neither the lanes' stores of two neighbours
    /// nor their loads of eight meet a bank twice.
    /// </summary>
    /// <remarks>
    /// A lane loads eight columns as two chunks. The first chunks of all lanes lie apart from the second ones, so that
    /// those loaded together fill all banks; the exclusive or with the row keeps apart what is stored together.
    /// </remarks>
    public static int SumOffset(int width, int row, int column)
    {
        int eight = column >> 3, half = (column >> 2) & 1;
        int chunk = width == 64
            ? 8 * half + (eight ^ (row & 7) ^ (4 * half))
            : (eight + 4 * half) ^ ((row & 3) | ((row & 1) << 2));
        return row * width * 4 + chunk * 16 + (column & 3) * 4;
    }
}
