using System.Runtime.InteropServices;

namespace TinyLlm.Kernels.Cpu;

/// <summary>Zeroed memory outside the garbage collector's heap, on huge pages where the system has them.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private const nuint HugePage = 2 << 20;
    private const int MadviseHugePage = 14;

    public NativeBuffer(long bytes, string what)
    {
        Bytes = bytes;
        bool large = (nuint)bytes >= HugePage;
        try
        {
            // Whole pages, so that no other allocation shares the last one.
            nuint size = large ? ((nuint)bytes + HugePage - 1) / HugePage * HugePage : (nuint)bytes;
            Pointer = (byte*)NativeMemory.AlignedAlloc(size, large ? HugePage : 128);
            if (large && OperatingSystem.IsLinux())
                _ = Madvise(Pointer, size, MadviseHugePage);
        }
        catch (Exception e) when (e is OutOfMemoryException or OverflowException)
        {
            throw Refused(bytes, what, e);
        }

        NativeMemory.Clear(Pointer, (nuint)bytes);
    }

    /// <summary>What is thrown where the system does not give the memory.</summary>
    public static TinyLlmException Refused(long bytes, string what, Exception? inner = null) =>
        new($"{what}: {bytes / 1048576.0:F0} MiB are needed and the system refused them; a smaller batch, context or "
        + "model shrinks it.", inner);

    public byte* Pointer { get; private set; }

    public long Bytes { get; }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
    }

    // First touch of a fresh 4 KiB page is several times slower than of a 2 MiB one; a refusal is harmless.
    [DllImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Madvise(void* address, nuint length, int advice);
}
