using System.Diagnostics;

namespace TinyLlm.Bench.Timing;

/// <summary>Seconds of one piece of work, measured once a round.</summary>
internal sealed class Sample
{
    private readonly List<double> seconds = [];

    /// <summary>The middle of all rounds.</summary>
    public double Median => MedianOf(seconds);

    /// <summary>(slowest - fastest) / median.</summary>
    public double Spread => (seconds.Max() - seconds.Min()) / Median;

    /// <summary>
    /// Runs <paramref name="work"/> once unmeasured, so that caches and threads are its own, then
    /// <paramref name="calls"/> times, and keeps the mean.
    /// </summary>
    public void Measure(Action work, int calls)
    {
        work();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
            work();
        Add(Stopwatch.GetElapsedTime(start).TotalSeconds / calls);
    }

    /// <summary>Keeps a time that was measured elsewhere.</summary>
    public void Add(double time) => seconds.Add(time);

    /// <summary>
    /// The median over the rounds of other / this: how many times faster this was. Both halves of a ratio ran one after
    /// the other, so a machine that slows down for a while slows both.
    /// </summary>
    public double SpeedUpOver(Sample other) => MedianOf(other.seconds.Zip(seconds, (theirs, ours) => theirs / ours));

    private static double MedianOf(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
