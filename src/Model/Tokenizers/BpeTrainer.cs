using TinyLlm.Kernels;

namespace TinyLlm.Model.Tokenizers;

/// <summary>
/// Learns a byte-level BPE vocabulary: starting from the 256 bytes, the most frequent pair of adjacent tokens becomes a new token, again
/// and again. Of equally frequent pairs the one with the smaller ids is taken, the left id first, so the result depends on the text alone.
/// </summary>
/// <remarks>
/// R. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (2016), on bytes (A. Radford et al., 2019). A pair
/// counts at every place where it stands, overlaps included; merging goes from left to right. <see cref="BpePairs"/> keeps the counts
/// exact in time proportional to the places that a merge changes.
/// </remarks>
public static class BpeTrainer
{
    /// <summary>The smallest vocabulary: the bytes and the special tokens.</summary>
    public static int MinimumVocabularySize => 256 + Tokenizer.SpecialTokens.Count;

    // A pair seen once is no pattern: merging it would only memorise a word.
    private const int MinimumCount = 2;

    /// <summary>Learns from one text, any bytes. See <see cref="Train(PreTokenCounts, int)"/>.</summary>
    public static ByteLevelBpeTokenizer Train(ReadOnlySpan<byte> text, int vocabularySize)
    {
        CheckSize(vocabularySize);
        var counts = new PreTokenCounts();
        counts.Add(text);
        return Train(counts, vocabularySize);
    }

    /// <summary>
    /// Learns <paramref name="vocabularySize"/> tokens: 256 bytes, the merges, 3 special tokens. Fewer when no pair is left that occurs
    /// at least twice; <see cref="Tokenizer.VocabularySize"/> of the result says how many there are.
    /// </summary>
    /// <exception cref="TinyLlmException">The size is below <see cref="MinimumVocabularySize"/>, or the distinct pre-tokens exceed 2 GB.</exception>
    public static ByteLevelBpeTokenizer Train(PreTokenCounts counts, int vocabularySize)
    {
        CheckSize(vocabularySize);
        var tokens = new List<byte[]>(Enumerable.Range(0, 256).Select(b => new[] { (byte)b }));
        var merges = new List<(int Left, int Right)>();
        var pairs = new BpePairs(counts);

        // Counts only fall after the merge that creates a pair, so an outdated entry is too high: it is met too early and put back.
        var queue = new PriorityQueue<(int, int), Candidate>();
        foreach (var (pair, count) in pairs.TakeNew(MinimumCount))
            queue.Enqueue(pair, new Candidate(count, pair));

        int limit = vocabularySize - Tokenizer.SpecialTokens.Count;
        while (tokens.Count < limit && queue.TryDequeue(out var best, out var candidate))
        {
            long count = pairs.Count(best);
            if (count != candidate.Count)
            {
                if (count >= MinimumCount)
                    queue.Enqueue(best, new Candidate(count, best));
                continue;
            }

            pairs.Merge(best, tokens.Count);
            merges.Add(best);
            tokens.Add([.. tokens[best.Item1], .. tokens[best.Item2]]);
            foreach (var (pair, newCount) in pairs.TakeNew(MinimumCount))
                queue.Enqueue(pair, new Candidate(newCount, pair));
        }

        return new ByteLevelBpeTokenizer(tokens, merges);
    }

    private static void CheckSize(int vocabularySize)
    {
        if (vocabularySize < MinimumVocabularySize)
            throw new TinyLlmException($"A bpe vocabulary of {vocabularySize} is too small; expected at least {MinimumVocabularySize} (256 bytes and {Tokenizer.SpecialTokens.Count} special tokens); raise the vocabulary size.");
    }

    /// <summary>The order of merging: the larger count first, then the smaller pair.</summary>
    private readonly record struct Candidate(long Count, (int, int) Pair) : IComparable<Candidate>
    {
        public int CompareTo(Candidate other) => Count != other.Count ? other.Count.CompareTo(Count) : Pair.CompareTo(other.Pair);
    }
}
