using System.Diagnostics;
using TinyLlm.Bench.Timing;
using TinyLlm.Kernels;

namespace TinyLlm.GpuBench.Ops;

/// <summary>
/// Times an op through the whole stream. One run of it takes buffer set after buffer set, so that no input lies in the
/// cache, as a recorded sequence where the device can, so that the host's launches are hidden; a measurement is as many
/// such runs as take a while, between two waits for the device.
/// </summary>
internal sealed class StreamTimer(Backend backend, bool quick, bool direct)
{
    /// <summary>
    /// More than any card's cache holds: the buffer sets of a measurement take at least so many bytes.
    /// </summary>
    public const long RotatedBytes = 256L << 20;

    private const int MaxSets = 128;

    private readonly int rounds = quick ? 2 : 9;
    private readonly double secondsPerRound = quick ? 0.001 : 0.025;

    /// <summary>How many buffer sets to rotate.</summary>
    public int Sets(long bytesPerSet) => quick ? 2
        : (int)Math.Clamp((RotatedBytes + bytesPerSet - 1) / bytesPerSet, 1, MaxSets);

    /// <summary>Seconds of one call of <paramref name="op"/>, which is told the buffer set to take.</summary>
    public Sample Measure(int sets, Action<int> op)
    {
        void Rotate()
        {
            for (int set = 0; set < sets; set++)
                op(set);
        }

        // Of the first two runs one compiles kernels and takes scratch memory, and one is recorded.
        using var recorded = direct ? null : backend.Record(Rotate);
        Action run = recorded is null ? Rotate : recorded.Run;
        Time(run, 2);
        int calls = Math.Clamp((int)(secondsPerRound / Time(run, 3)), 1, 10_000);
        var sample = new Sample();
        for (int round = 0; round < rounds; round++)
            sample.Add(Time(run, calls) / sets);
        return sample;
    }

    private double Time(Action run, int calls)
    {
        backend.Synchronize();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
            run();
        backend.Synchronize();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
    }
}
