namespace TinyLlm.Tokenizers;

/// <summary>
/// Applies merges to one pre-token: the earliest learnt first, equal ones from left to right. Any number of threads may
/// use it at once.
/// </summary>
internal sealed class BpeMerger
{
    // Below this a look at every pair after each merge is faster than a queue.
    private const int Short = 64;
    private const int NoMerge = int.MaxValue;

    private readonly Dictionary<ulong, (int Rank, int Id)> merges;

    /// <summary>Takes the merges in the order of their learning: two ids and the id of what they become.</summary>
    /// <exception cref="ArgumentException">A pair occurs twice.</exception>
    public BpeMerger((int Left, int Right, int Id)[] merges)
    {
        this.merges = new Dictionary<ulong, (int Rank, int Id)>(merges.Length);
        foreach (var (left, right, id) in merges)
            this.merges.Add(Key(left, right), (this.merges.Count, id));
    }

    /// <summary>
    /// Merges <paramref name="ids"/> in place and returns how many remain, at its beginning. Time O(n log n).
    /// </summary>
    public int Merge(Span<int> ids)
    {
        if (ids.Length < 2)
            return ids.Length;
        return ids.Length <= Short ? MergeShort(ids) : MergeLong(ids);
    }

    // Odd, so that no two pairs share a key; large, so that the keys differ in the bits that a dictionary looks at.
    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32 | (uint)right) * 0x9E3779B97F4A7C15;

    private int MergeShort(Span<int> ids)
    {
        Span<int> ranks = stackalloc int[Short], made = stackalloc int[Short]; // of each token and the one behind it
        int n = ids.Length;
        for (int i = 0; i + 1 < n; i++)
            Look(i, ids, ranks, made);

        while (n > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < n; i++)
            {
                if (ranks[i] < ranks[best])
                    best = i;
            }

            if (ranks[best] == NoMerge)
                break;
            ids[best] = made[best];
            ids[(best + 2)..n].CopyTo(ids[(best + 1)..]);
            n--;
            ranks[(best + 1)..n].CopyTo(ranks[best..]);
            made[(best + 1)..n].CopyTo(made[best..]);
            if (best > 0)
                Look(best - 1, ids, ranks, made);
            if (best + 1 < n)
                Look(best, ids, ranks, made);
        }

        return n;
    }

    private void Look(int place, ReadOnlySpan<int> ids, Span<int> ranks, Span<int> made) =>
        (ranks[place], made[place]) = merges.TryGetValue(Key(ids[place], ids[place + 1]), out var merge) ? merge
        : (NoMerge, 0);

    private int MergeLong(Span<int> ids)
    {
        const int Gone = -1;
        int n = ids.Length;
        int[] previous = new int[n], next = new int[n];
        var queue = new PriorityQueue<(int Place, int Id), (int Rank, int Place)>();
        for (int i = 0; i < n; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1;
        }

        for (int i = 0; i + 1 < n; i++)
            Offer(i, ids);

        while (queue.TryDequeue(out var candidate, out _))
        {
            int left = candidate.Place, right = next[left];

            // Outdated: one of the two tokens has been merged into another since.
            if (ids[left] == Gone || right == n || !merges.TryGetValue(Key(ids[left], ids[right]), out var merge)
                || merge.Id != candidate.Id)
                continue;

            ids[left] = merge.Id;
            ids[right] = Gone;
            next[left] = next[right];
            if (next[left] < n)
            {
                previous[next[left]] = left;
                Offer(left, ids);
            }

            if (previous[left] >= 0)
                Offer(previous[left], ids);
        }

        int remaining = 0;
        foreach (int id in ids)
        {
            if (id != Gone)
                ids[remaining++] = id;
        }

        return remaining;

        void Offer(int place, ReadOnlySpan<int> ids)
        {
            if (merges.TryGetValue(Key(ids[place], ids[next[place]]), out var merge))
                queue.Enqueue((place, merge.Id), (merge.Rank, place));
        }
    }
}
