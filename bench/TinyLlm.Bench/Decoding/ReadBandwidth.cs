using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Decoding;

/// <summary>
/// How fast all threads together can read memory that no cache holds: each reads its part of a large buffer from front
/// to back.
/// </summary>
internal sealed unsafe class ReadBandwidth : IDisposable
{
    private const long Bytes = 512L << 20;
    private const int PageBytes = 2 << 20, MadviseHugePage = 14, Tries = 4;

    private readonly int threads;
    private readonly float* buffer;

    public ReadBandwidth(int threads)
    {
        this.threads = threads;
        buffer = (float*)NativeMemory.AlignedAlloc((nuint)Bytes, PageBytes);
        // As the weights of TinyLlm lie in memory; a refusal is harmless.
        _ = Madvise(buffer, (nuint)Bytes, MadviseHugePage);
        NativeMemory.Fill(buffer, (nuint)Bytes, 1);
    }

    /// <summary>The best so far, in bytes a second.</summary>
    public double Best { get; private set; }

    /// <summary>Reads the buffer some times more.</summary>
    public void Measure()
    {
        for (int i = 0; i < Tries; i++)
            Best = Math.Max(Best, Bytes / Read());
    }

    public void Dispose() => NativeMemory.AlignedFree(buffer);

    private double Read()
    {
        long part = Bytes / sizeof(float) / threads;
        float[] sums = new float[threads];
        double seconds = Together.Seconds(threads, i => sums[i] = Sum(buffer + i * part, part));
        return sums.All(float.IsFinite) ? seconds
            : throw new InvalidOperationException("The sum over the buffer is not finite.");
    }

    // Eight sums, so that no addition waits for the one before.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Sum(float* x, long count)
    {
        const int sums = 8;
        var width = Vector256<float>.Count;
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default,
            s6 = default, s7 = default;
        for (long i = 0; i + sums * width <= count; i += sums * width)
        {
            float* p = x + i;
            s0 += Vector256.Load(p);
            s1 += Vector256.Load(p + width);
            s2 += Vector256.Load(p + 2 * width);
            s3 += Vector256.Load(p + 3 * width);
            s4 += Vector256.Load(p + 4 * width);
            s5 += Vector256.Load(p + 5 * width);
            s6 += Vector256.Load(p + 6 * width);
            s7 += Vector256.Load(p + 7 * width);
        }

        return Vector256.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
    }

    [DllImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Madvise(void* address, nuint length, int advice);
}
