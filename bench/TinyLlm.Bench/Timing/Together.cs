using System.Diagnostics;

namespace TinyLlm.Bench.Timing;

/// <summary>Work that several threads begin at the same time.</summary>
internal static class Together
{
    /// <summary>
    /// Runs <paramref name="work"/> once on each of so many threads, with the thread's number, and returns the seconds
    /// from the first beginning to the last end. The threads look at the clock themselves: the one that started them
    /// would get a core only after they had begun.
    /// </summary>
    public static double Seconds(int threads, Action<int> work)
    {
        using var start = new Barrier(threads);
        long[] begins = new long[threads], ends = new long[threads];
        Thread[] workers = [.. Enumerable.Range(0, threads).Select(i => new Thread(() =>
        {
            start.SignalAndWait();
            begins[i] = Stopwatch.GetTimestamp();
            work(i);
            ends[i] = Stopwatch.GetTimestamp();
        }))];
        foreach (var worker in workers)
            worker.Start();
        foreach (var worker in workers)
            worker.Join();
        return Stopwatch.GetElapsedTime(begins.Min(), ends.Max()).TotalSeconds;
    }
}
