using System.Buffers;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Words as tokens: whole words and punctuation marks, each with the one space before it, and the other white space
/// character by character, so that decoding gives the text back but for what is unknown. Ids are the words, the most
/// frequent first, then <see cref="UnknownToken"/>, then the special tokens. What has no token, and what is not valid
/// UTF-8, becomes <see cref="Tokenizer.Unknown"/>: whoever reports on a text counts that id.
/// </summary>
public sealed class WordTokenizer : Tokenizer
{
    /// <summary>How the token for unknown words is written.</summary>
    public const string UnknownToken = "<|unknown|>";

    private static readonly WordPattern pattern = new();

    private readonly Dictionary<string, int> ids;

    /// <summary>Builds the tokenizer whose id i is the word <paramref name="words"/>[i].</summary>
    internal WordTokenizer(IReadOnlyList<string> words)
        : base([.. words.Append(UnknownToken).Select(Encoding.UTF8.GetBytes)], AddedTokens.Own(words.Count + 1))
    {
        Words = words;
        ids = new Dictionary<string, int>(words.Count, StringComparer.Ordinal);
        for (int id = 0; id < words.Count; id++)
            ids.Add(words[id], id);
    }

    /// <summary>The smallest vocabulary: the words of the chat headers, the unknown and the special tokens.</summary>
    public static int MinimumVocabularySize => HeaderWords.Length + 1 + SpecialTokens.Count;

    /// <summary>The words, by id.</summary>
    public IReadOnlyList<string> Words { get; }

    /// <inheritdoc/>
    public override string Kind => "word";

    /// <inheritdoc/>
    public override int? Unknown => Words.Count;

    // Always in, so that a model pretrained with this tokenizer can be taught to chat.
    private static string[] HeaderWords => [.. ChatTemplate.Roles, "\n"];

    /// <summary>
    /// Takes the most frequent words of a text, of equally frequent ones the one whose UTF-8 bytes come first, and
    /// always those of the chat headers. Memory: <see cref="WordCounts.MostWords"/> distinct words.
    /// </summary>
    /// <param name="pieces">The text, cut where <see cref="TextCut"/> says.</param>
    /// <param name="vocabularySize">The largest number of tokens, the unknown and the special ones included; fewer when
    /// the text has fewer words.</param>
    /// <param name="minCount">How often a word must occur to get a token.</param>
    /// <exception cref="TinyLlmException">The size is below <see cref="MinimumVocabularySize"/>, or the count below
    /// 1.</exception>
    public static WordTokenizer Train(IEnumerable<ReadOnlyMemory<byte>> pieces, int vocabularySize, int minCount = 1)
    {
        if (vocabularySize < MinimumVocabularySize)
        {
            throw new TinyLlmException($"A word vocabulary of {vocabularySize} is too small; expected at least "
                + $"{MinimumVocabularySize} ({HeaderWords.Length} words of chat headers, {UnknownToken} and "
                + $"{SpecialTokens.Count} special tokens); raise the vocabulary size.");
        }

        if (minCount < 1)
            throw new TinyLlmException($"A word must occur at least {minCount} times; expected 1 or more.");

        var counts = new WordCounts(pattern);
        foreach (var piece in pieces)
            counts.Add(piece.Span);
        int room = vocabularySize - MinimumVocabularySize;
        return new WordTokenizer(
            [.. HeaderWords, .. counts.MostFrequent(minCount).Except(HeaderWords, StringComparer.Ordinal).Take(room)]);
    }

    /// <inheritdoc/>
    private protected override void EncodeText(ReadOnlySpan<byte> text, bool allowSpecial, IBufferWriter<int> ids)
    {
        var lookup = this.ids.GetAlternateLookup<ReadOnlySpan<char>>();
        using var blocks = new Utf8Blocks(text);
        while (blocks.Read())
        {
            var room = ids.GetSpan(blocks.Text.Length + 1);
            int count = 0;
            for (int start = 0, end; start < blocks.Text.Length; start = end)
            {
                end = pattern.Next(blocks.Text, start);
                room[count++] = lookup.TryGetValue(blocks.Text[start..end], out int id) ? id : Words.Count;
            }

            if (!blocks.Invalid.IsEmpty)
                room[count++] = Words.Count;
            ids.Advance(count);
        }
    }
}
