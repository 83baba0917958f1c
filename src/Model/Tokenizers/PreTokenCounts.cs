using System.Runtime.InteropServices;

namespace TinyLlm.Model.Tokenizers;

/// <summary>
/// How often each pre-token occurs in a text: all that <see cref="BpeTrainer"/> needs of it, and far smaller. Counts from several parts of
/// a text, or from several threads, are summed with <see cref="Add(PreTokenCounts)"/>; the order does not matter.
/// </summary>
public sealed class PreTokenCounts
{
    private readonly Dictionary<string, long> counts = new(StringComparer.Ordinal);

    /// <summary>Each distinct pre-token with the number of times it was seen, in no particular order.</summary>
    public IReadOnlyDictionary<string, long> Items => counts;

    /// <summary>
    /// Counts the pre-tokens of one document. Bytes that are not valid UTF-8 separate pre-tokens and are not counted: they are tokens of
    /// their own, so that no merge ever touches them.
    /// </summary>
    public void Add(ReadOnlySpan<byte> document)
    {
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        using var blocks = new Utf8Blocks(document);
        while (blocks.Read())
        {
            for (int start = 0, end; start < blocks.Text.Length; start = end)
            {
                end = Qwen2Pattern.Next(blocks.Text, start);
                CollectionsMarshal.GetValueRefOrAddDefault(lookup, blocks.Text[start..end], out _)++;
            }
        }
    }

    /// <summary>Adds the counts of another part of the text.</summary>
    public void Add(PreTokenCounts other)
    {
        foreach (var (preToken, count) in other.counts)
            CollectionsMarshal.GetValueRefOrAddDefault(counts, preToken, out _) += count;
    }
}
