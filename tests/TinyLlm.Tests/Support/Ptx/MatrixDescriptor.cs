namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// The descriptor of a matrix in shared memory that wgmma reads, and the places that it stands for. Source: the PTX
/// ISA's "Asynchronous Warpgroup Level Matrix Shared Memory Layout", and the canonical layouts that CUTLASS states in
/// mma_traits_sm90_gmma.hpp.
/// </summary>
internal readonly struct MatrixDescriptor(ulong bits)
{
    public int Start => Field(0);

    public int Leading => Field(16);

    public int Stride => Field(32);

    public int BaseOffset => (int)(bits >> 49) & 7;

    /// <summary>
    /// Chunks of 16 bytes in a row of the swizzle's pattern of eight rows: 1 (no swizzle), 2, 4 or 8.
    /// </summary>
    public int Width => (bits >> 62) switch { 0 => 1, 1 => 8, 2 => 4, _ => 2 };

    private int Field(int shift) => (int)(bits >> shift & 0x3FFF) << 4;

    /// <summary>What is wrong with it, or null.</summary>
    public string? Problem
    {
        get
        {
            if (BaseOffset != 0)
                return "a base offset other than 0 is not supported";
            int pattern = 128 * Width, row = 16 * Width;
            return Width > 1 && Start % pattern / row != 0
                ? $"its start, {Start}, is not in the first row of a pattern of {pattern} bytes" : null;
        }
    }

    /// <summary>
    /// The place of the 16 bytes with element (<paramref name="mn"/>, <paramref name="k"/>), where mn counts A's rows
    /// or B's columns. They go on along k if the matrix is K-major, else along mn.
    /// </summary>
    /// <param name="elements">Elements in 16 bytes.</param>
    public int Chunk(int mn, int k, bool isMnMajor, int elements)
    {
        int offset = (isMnMajor, Width) switch
        {
            (false, 1) => mn % 8 * 16 + mn / 8 * Stride + k / elements * Leading,
            (false, _) => mn % 8 * 16 * Width + mn / 8 * Stride + k / elements * 16,
            (true, 1) => mn / elements * Stride + k % 8 * 16 + k / 8 * Leading,
            (true, _) =>
                mn / elements % Width * 16 + mn / (elements * Width) * Leading + k % 8 * 16 * Width + k / 8 * Stride,
        };
        // The chunk's number in its row is xored with the row's: bits 4 to 6 of the address with bits 7 to 9, as many
        // as the width has.
        int address = Start + offset;
        return address ^ (address >> 3 & 16 * (Width - 1));
    }
}
