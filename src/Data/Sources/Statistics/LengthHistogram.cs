using System.Numerics;

namespace TinyLlm.Data.Sources;

/// <summary>
/// A bar of a histogram: how many lengths are at least <paramref name="From"/> and at most <paramref name="To"/>.
/// </summary>
public readonly record struct LengthBar(long From, long To, long Count);

/// <summary>How often lengths occur, by powers of two.</summary>
public sealed class LengthHistogram
{
    private readonly long[] counts = new long[64];

    /// <summary>The number of lengths.</summary>
    public long Count { get; private set; }

    /// <summary>Their sum.</summary>
    public long Sum { get; private set; }

    /// <summary>The smallest; 0 if there is none.</summary>
    public long Shortest { get; private set; }

    /// <summary>The largest; 0 if there is none.</summary>
    public long Longest { get; private set; }

    /// <summary>The bars from the shortest to the longest length: 0, 1, 2 to 3, 4 to 7, ...</summary>
    public IReadOnlyList<LengthBar> Bars
    {
        get
        {
            var bars = new List<LengthBar>();
            for (int i = Bar(Shortest); Count > 0 && i <= Bar(Longest); i++)
                bars.Add(new LengthBar(i == 0 ? 0 : 1L << (i - 1), i == 0 ? 0 : (1L << (i - 1)) * 2 - 1, counts[i]));
            return bars;
        }
    }

    internal void Add(long length)
    {
        counts[Bar(length)]++;
        Shortest = Count == 0 ? length : Math.Min(Shortest, length);
        Longest = Math.Max(Longest, length);
        Count++;
        Sum += length;
    }

    internal void Add(LengthHistogram other)
    {
        if (other.Count == 0)
            return;
        for (int i = 0; i < counts.Length; i++)
            counts[i] += other.counts[i];
        Shortest = Count == 0 ? other.Shortest : Math.Min(Shortest, other.Shortest);
        Longest = Math.Max(Longest, other.Longest);
        Count += other.Count;
        Sum += other.Sum;
    }

    private static int Bar(long length) => 64 - BitOperations.LeadingZeroCount((ulong)length);
}
