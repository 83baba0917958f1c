using ILGPU;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The threads of a group in lines of a power of two: an argument of kernels that give each line a row, or each lane
/// some columns. A division by a number that is not known when a kernel is compiled takes some thirty instructions,
/// often once in every turn of a loop; a shift takes one.
/// </summary>
internal readonly struct Lanes
{
    // Threads of a group: 2^8.
    private const int GroupBits = 8;

    private readonly int bits;

    private Lanes(int bits) => this.bits = bits;

    /// <summary>
    /// Lines of the smallest power of two that has <paramref name="wanted"/> threads, at most the group's.
    /// </summary>
    public static Lanes AtLeast(int wanted)
    {
        int bits = 0;
        while (bits < GroupBits && 1 << bits < wanted)
            bits++;
        return new Lanes(bits);
    }

    /// <summary>Threads of a line.</summary>
    public int Count => 1 << bits;

    /// <summary>Lines of a group.</summary>
    public int Lines => 1 << (GroupBits - bits);

    /// <summary>In a kernel: the thread's place in its line.</summary>
    public int Lane => Group.IdxX & (Count - 1);

    /// <summary>In a kernel: the thread's line.</summary>
    public int Line => Group.IdxX >> bits;
}
