using System.Runtime.InteropServices;

namespace TinyLlm.Tokenizers;

/// <summary>Two neighbouring tokens. The order is that of the left ids, then of the right ones.</summary>
internal readonly record struct TokenPair(int Left, int Right) : IComparable<TokenPair>
{
    public int CompareTo(TokenPair other) => Left != other.Left ? Left.CompareTo(other.Left)
        : Right.CompareTo(other.Right);

    public override int GetHashCode() => (int)(((uint)Left * 0x9E3779B1u + (uint)Right) * 0x85EBCA6Bu);
}

/// <summary>
/// The exact number of times that each pair of neighbours occurs in <see cref="BpeRows"/>. A merge visits only the
/// places of its pair.
/// </summary>
/// <remarks>
/// A pair contains the token that was newest when it came into being, so it comes into being during one merge, and the
/// list of its places is written once, in rising order, as left-to-right merging needs. Later merges take places away
/// without a look at the list: a place counts while the pair still stands there, and what once was merged never comes
/// back. Each place is listed when a pair comes to stand there and visited once, so all merges together take time in
/// proportion to the text's distinct bytes. Pairs that occur less often than the minimum are forgotten, since counts
/// only fall.
/// </remarks>
internal sealed class BpePairs
{
    private readonly BpeRows rows;
    private readonly long minimum;
    private readonly Dictionary<TokenPair, Entry> pairs = [];
    private readonly List<(TokenPair, long)> created = [];
    private readonly NeighbourTally goneLeft = new(), goneRight = new(), newLeft = new(), newRight = new();

    private struct Entry
    {
        public long Count;
        public int[] Places;
    }

    /// <summary>
    /// Counts the pairs of <paramref name="rows"/>. Those below <paramref name="minimum"/> are ignored.
    /// </summary>
    public BpePairs(BpeRows rows, long minimum, CancellationToken stop)
    {
        this.rows = rows;
        this.minimum = minimum;
        const int Bytes = 256;
        var counts = new long[Bytes * Bytes];
        var placeCounts = new int[Bytes * Bytes];
        foreach (var (pair, place) in Places(stop))
        {
            counts[pair] += rows.Occurrences(place);
            placeCounts[pair]++;
        }

        var lists = new int[Bytes * Bytes][];
        for (int pair = 0; pair < lists.Length; pair++)
        {
            if (counts[pair] < minimum)
                continue;
            lists[pair] = new int[placeCounts[pair]];
            Create(new TokenPair(pair / Bytes, pair % Bytes), counts[pair], lists[pair]);
        }

        Array.Clear(placeCounts);
        foreach (var (pair, place) in Places(stop))
        {
            if (lists[pair] is { } list)
                list[placeCounts[pair]++] = place;
        }
    }

    /// <summary>The pairs that came into being with the last merge, or at the beginning, with their counts.</summary>
    public IReadOnlyList<(TokenPair Pair, long Count)> Created => created;

    /// <summary>How often a pair occurs now; 0 below the minimum.</summary>
    public long Count(TokenPair pair) => pairs.TryGetValue(pair, out var entry) ? entry.Count : 0;

    /// <summary>
    /// Replaces the pair by token <paramref name="id"/>, the next one, wherever it stands, from left to right.
    /// </summary>
    public void Merge(TokenPair pair, int id, CancellationToken stop)
    {
        pairs.Remove(pair, out var entry);
        rows.Define(pair.Left, pair.Right);
        rows.Rewind();
        created.Clear();
        foreach (var tally in (ReadOnlySpan<NeighbourTally>)[goneLeft, goneRight, newLeft, newRight])
            tally.Start(id + 1);

        for (int i = 0; i < entry.Places.Length; i++)
        {
            if (i % (1 << 16) == 0)
                stop.ThrowIfCancellationRequested();
            if (rows.Stands(pair.Left, pair.Right, entry.Places[i]))
                MergeAt(entry.Places[i], pair, id);
        }

        foreach (int token in goneLeft.Tokens)
            Lower(new TokenPair(token, pair.Left), goneLeft.Occurrences(token));
        foreach (int token in goneRight.Tokens)
            Lower(new TokenPair(pair.Right, token), goneRight.Occurrences(token));
        foreach (var (token, places) in newLeft.PlacesOfFrequent(minimum))
            Create(new TokenPair(token, id), newLeft.Occurrences(token), places);
        foreach (var (token, places) in newRight.PlacesOfFrequent(minimum))
            Create(new TokenPair(id, token), newRight.Occurrences(token), places);
    }

    private void MergeAt(int place, TokenPair pair, int id)
    {
        long times = rows.Occurrences(place);
        rows.Replace(pair.Left, id, place);
        int before = rows.Before(place), after = rows.After(place);
        if (before != BpeRows.None)
        {
            int left = rows[before];
            if (left == id)
                newRight.Subtract(pair.Left, times); // counted a moment ago, when the pair before this one was merged
            else
                goneLeft.Add(left, times);
            newLeft.Add(left, times, before);
        }

        if (after != BpeRows.None)
        {
            goneRight.Add(rows[after], times);
            newRight.Add(rows[after], times, place);
        }
    }

    private void Create(TokenPair pair, long count, int[] places)
    {
        pairs.Add(pair, new Entry { Count = count, Places = places });
        created.Add((pair, count));
    }

    private void Lower(TokenPair pair, long times)
    {
        ref var entry = ref CollectionsMarshal.GetValueRefOrNullRef(pairs, pair);
        if (System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry))
            return; // too rare ever to be merged, or the pair that is being merged (aaa)

        entry.Count -= times;
        if (entry.Count < minimum)
            pairs.Remove(pair);
    }

    // All places where two bytes stand side by side, at the beginning; a pair is 256 times the left byte and the right
    // one.
    private IEnumerable<(int Pair, int Place)> Places(CancellationToken stop)
    {
        rows.Rewind();
        for (int place = 1; place < rows.Length - 1; place++)
        {
            if (place % (1 << 20) == 0)
                stop.ThrowIfCancellationRequested();
            if (rows[place] >= 0 && rows[place + 1] >= 0)
                yield return (256 * rows[place] + rows[place + 1], place);
        }
    }
}
