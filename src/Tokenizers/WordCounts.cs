using System.Runtime.InteropServices;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// How often each word occurs in a text. At most <see cref="MostWords"/> are kept, some 200 MB: when there are more,
/// the rarest are forgotten, so that a word which is rarer than two million others may be counted too low.
/// </summary>
internal sealed class WordCounts(PreTokenizer pattern)
{
    /// <summary>The largest number of distinct words that are kept.</summary>
    public const int MostWords = 1 << 21;

    private readonly Dictionary<string, long> counts = new(StringComparer.Ordinal);

    /// <summary>Counts the words of a piece of text; invalid UTF-8 separates words.</summary>
    public void Add(ReadOnlySpan<byte> piece)
    {
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        using var blocks = new Utf8Blocks(piece);
        while (blocks.Read())
        {
            for (int start = 0, end; start < blocks.Text.Length; start = end)
            {
                end = pattern.Next(blocks.Text, start);
                CollectionsMarshal.GetValueRefOrAddDefault(lookup, blocks.Text[start..end], out _)++;
            }

            for (long rare = 1; counts.Count > MostWords; rare *= 2)
                Forget(rare);
        }
    }

    /// <summary>
    /// The words that occur at least <paramref name="minCount"/> times, the most frequent first, ties by their bytes.
    /// </summary>
    public IEnumerable<string> MostFrequent(long minCount) => counts
        .Where(word => word.Value >= minCount)
        .Select(word => (word.Key, word.Value, Bytes: Encoding.UTF8.GetBytes(word.Key)))
        .OrderByDescending(word => word.Value)
        .ThenBy(word => word.Bytes, Comparer<byte[]>.Create((x, y) => x.AsSpan().SequenceCompareTo(y)))
        .Select(word => word.Key);

    private void Forget(long rare)
    {
        foreach (var (word, count) in counts)
        {
            if (count <= rare)
                counts.Remove(word); // which does not disturb the enumeration
        }
    }
}
