namespace TinyLlm.Tests.Support.Cuda;

/// <summary>
/// What one multiprocessor of a GPU has for the groups that run on it at the same time. Source: CUDA C++ programming
/// guide, technical specifications per compute capability, and the tuning guides of the architectures.
/// </summary>
/// <param name="Registers">32-bit registers.</param>
/// <param name="SharedBytes">Shared memory, at the largest share of it that L1 leaves.</param>
/// <param name="GroupSharedBytes">The most shared memory of one group.</param>
internal sealed record Multiprocessor(int Registers, int SharedBytes, int GroupSharedBytes)
{
    /// <summary>The A100, compute capability 8.0.</summary>
    public static readonly Multiprocessor Sm80 =
        new(Registers: 65536, SharedBytes: 164 * 1024, GroupSharedBytes: 163 * 1024);

    /// <summary>The H100, compute capability 9.0.</summary>
    public static readonly Multiprocessor Sm90 =
        new(Registers: 65536, SharedBytes: 228 * 1024, GroupSharedBytes: 227 * 1024);

    /// <summary>The most warps that are resident at the same time.</summary>
    public const int MaxWarps = 64;

    private const int MaxGroups = 32;
    private const int MaxThreads = 1024;
    private const int WarpSize = 32;

    // Four schedulers have a quarter of the registers each; a warp gets them in units of 256.
    private const int Schedulers = 4;
    private const int RegisterUnit = 256;

    // Each group's shared memory has 1 KB of the system's beside its own, and counts in units of 128 bytes.
    private const int ReservedSharedBytes = 1024;
    private const int SharedUnit = 128;

    /// <summary>
    /// How many warps of a kernel are resident at the same time, by the scarcest of what they need; 0 where not even
    /// one group fits.
    /// </summary>
    /// <param name="threads">Threads of a group.</param>
    /// <param name="registers">Registers of a thread.</param>
    /// <param name="sharedBytes">Static and dynamic shared memory of a group.</param>
    public int ResidentWarps(int threads, int registers, int sharedBytes)
    {
        if (threads > MaxThreads || sharedBytes > GroupSharedBytes)
            return 0;

        int warpsOfGroup = (threads + WarpSize - 1) / WarpSize;
        int registersOfWarp = RoundUp(Math.Max(registers, 1) * WarpSize, RegisterUnit);
        int warpsByRegisters = Registers / Schedulers / registersOfWarp * Schedulers;
        int groupsByShared = SharedBytes / RoundUp(sharedBytes + ReservedSharedBytes, SharedUnit);

        int groups = Math.Min(Math.Min(MaxWarps, warpsByRegisters) / warpsOfGroup, Math.Min(MaxGroups, groupsByShared));
        return groups * warpsOfGroup;
    }

    private static int RoundUp(int value, int unit) => (value + unit - 1) / unit * unit;
}
