using System.Runtime.InteropServices;
using System.Text;
using TinyLlm.Kernels;

namespace TinyLlm.Model.Tokenizers;

/// <summary>
/// All distinct pre-tokens as rows of tokens, with the exact count and the places of every pair of neighbours. A merge visits only the
/// places of its pair.
/// </summary>
/// <remarks>
/// A place is the index of a pair's left token. It holds one pair at a time, so the places of a pair form a doubly linked list inside two
/// arrays: moving a place from one pair to another costs nothing but the dictionary look-ups. A new pair contains the newest token, and
/// its places are appended from left to right, so every list is in text order, as left-to-right merging needs.
/// </remarks>
internal sealed class BpePairs
{
    private const int None = -1;

    // By place. ids: the token that starts here. left, right: the neighbours in the same pre-token.
    private readonly int[] ids, left, right;
    private readonly int[] previousPlace, nextPlace; // in the list of the pair that stands here
    private readonly long[] weights;                 // how often the pre-token occurs
    private readonly Dictionary<(int, int), Entry> pairs = [];
    private readonly List<(int, int)> created = [];

    private struct Entry
    {
        public long Count;
        public int First, Last;
    }

    /// <summary>Splits every pre-token into its bytes and counts the pairs.</summary>
    /// <exception cref="TinyLlmException">The distinct pre-tokens have more bytes than an array can hold.</exception>
    public BpePairs(PreTokenCounts counts)
    {
        long total = counts.Items.Keys.Sum(word => (long)Encoding.UTF8.GetByteCount(word));
        if (total > Array.MaxLength)
            throw new TinyLlmException($"The distinct words of the text have {total} bytes; expected at most {Array.MaxLength}; train the tokenizer on a part of the text.");

        ids = new int[total];
        left = new int[total];
        right = new int[total];
        previousPlace = new int[total];
        nextPlace = new int[total];
        weights = new long[total];
        int place = 0;
        foreach (var (word, count) in counts.Items)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(word);
            for (int i = 0; i < bytes.Length; i++, place++)
            {
                ids[place] = bytes[i];
                left[place] = i > 0 ? place - 1 : None;
                right[place] = i + 1 < bytes.Length ? place + 1 : None;
                weights[place] = count;
            }
        }

        for (int at = 0; at < ids.Length; at++)
        {
            if (right[at] != None)
                Append(at);
        }
    }

    /// <summary>How often a pair occurs now.</summary>
    public long Count((int, int) pair) => pairs.TryGetValue(pair, out var entry) ? entry.Count : 0;

    /// <summary>
    /// The pairs that came into being since the last call and occur at least <paramref name="minimumCount"/> times. The others are
    /// forgotten for good: a pair's count never rises after the merge that created it.
    /// </summary>
    public IEnumerable<((int, int) Pair, long Count)> TakeNew(long minimumCount)
    {
        foreach (var pair in created)
        {
            long count = Count(pair);
            if (count >= minimumCount)
                yield return (pair, count);
            else
                pairs.Remove(pair);
        }

        created.Clear();
    }

    /// <summary>Replaces the pair by token <paramref name="id"/> wherever it stands, from left to right.</summary>
    public void Merge((int, int) pair, int id)
    {
        // Each round removes the first place and, in a run such as aaa, the overlapping one after it.
        while (pairs.TryGetValue(pair, out var entry) && entry.First != None)
        {
            int at = entry.First, second = right[at], after = right[second], before = left[at];
            Remove(at);
            if (after != None)
                Remove(second);
            if (before != None)
                Remove(before);

            ids[at] = id;
            right[at] = after;
            if (after != None)
                left[after] = at;

            if (before != None)
                Append(before);
            if (after != None)
                Append(at);
        }

        pairs.Remove(pair);
    }

    private (int, int) PairAt(int place) => (ids[place], ids[right[place]]);

    private void Append(int place)
    {
        var pair = PairAt(place);
        ref var entry = ref CollectionsMarshal.GetValueRefOrAddDefault(pairs, pair, out bool exists);
        if (!exists)
        {
            entry.First = entry.Last = None;
            created.Add(pair);
        }

        previousPlace[place] = entry.Last;
        nextPlace[place] = None;
        if (entry.Last == None)
            entry.First = place;
        else
            nextPlace[entry.Last] = place;
        entry.Last = place;
        entry.Count += weights[place];
    }

    private void Remove(int place)
    {
        ref var entry = ref CollectionsMarshal.GetValueRefOrNullRef(pairs, PairAt(place));
        if (System.Runtime.CompilerServices.Unsafe.IsNullRef(ref entry))
            return; // too rare ever to be merged, and forgotten

        int previous = previousPlace[place], next = nextPlace[place];
        if (previous == None)
            entry.First = next;
        else
            nextPlace[previous] = next;
        if (next == None)
            entry.Last = previous;
        else
            previousPlace[next] = previous;
        entry.Count -= weights[place];
    }
}
