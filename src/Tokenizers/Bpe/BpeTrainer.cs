namespace TinyLlm.Tokenizers;

/// <summary>
/// Learns a byte-level BPE vocabulary: starting from the 256 bytes, the most frequent pair of adjacent tokens becomes a
/// new token, again and again. Of equally frequent pairs the one with the smaller ids is taken, the left id first, so
/// the result depends on the text alone.
/// </summary>
/// <remarks>
/// R. Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (2016), on bytes (A. Radford et
/// al., 2019). A pair counts at every place where it stands, overlaps included; merging goes from left to right.
/// <see cref="BpePairs"/> keeps the counts exact in time proportional to the places that a merge changes.
/// </remarks>
public static class BpeTrainer
{
    /// <summary>The smallest vocabulary: the bytes and the special tokens.</summary>
    public static int MinimumVocabularySize => 256 + Tokenizer.SpecialTokens.Count;

    /// <summary>
    /// Bytes of distinct pre-tokens, some 7 million of them, that training on a stream holds: at most 1.6 GB of memory,
    /// measured on random letters at the bound. Beyond it the rarest are dropped, those seen once at first, until half
    /// of it is left; what was dropped is counted from 0 when it comes again. Texts of some gigabytes stay below it.
    /// </summary>
    public const long MaximumTextBytes = 64L << 20;

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
    /// Learns <paramref name="vocabularySize"/> tokens: 256 bytes, the merges, 3 special tokens. Fewer when no pair is
    /// left that occurs at least twice; <see cref="Tokenizer.VocabularySize"/> of the result says how many there are.
    /// </summary>
    /// <exception cref="TinyLlmException">The size is below <see cref="MinimumVocabularySize"/>, or the distinct
    /// pre-tokens exceed 2 GB.</exception>
    public static ByteLevelBpeTokenizer Train(PreTokenCounts counts, int vocabularySize)
    {
        CheckSize(vocabularySize);
        return Merge([counts], vocabularySize, default, null, default);
    }

    /// <summary>
    /// Learns from a stream of text of any length: <paramref name="threads"/> workers count it, in memory that
    /// <see cref="MaximumTextBytes"/> bounds. The result is the same for any number of threads, and the same as from
    /// the whole text as long as nothing is dropped.
    /// </summary>
    /// <param name="pieces">
    /// Any bytes; no pre-token goes on from one piece to the next, so long text must be cut where <see cref="TextCut"/>
    /// says. Read by one worker at a time, and copied before the next piece is asked for.
    /// </param>
    /// <param name="vocabularySize">Tokens to learn: 256 bytes, the merges, 3 special tokens. Fewer when no pair is
    /// left that occurs at least twice.</param>
    /// <param name="threads">Workers that count, from 1. The merges are made by one.</param>
    /// <param name="progress">Told about once a megabyte and once in a thousand merges, by any thread.</param>
    /// <param name="stop">Ends the training within a fraction of a second, unless the source itself waits.</param>
    /// <exception cref="TinyLlmException">The size is below <see cref="MinimumVocabularySize"/>.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static ByteLevelBpeTokenizer Train(
        IEnumerable<ReadOnlyMemory<byte>> pieces, int vocabularySize, int threads, IProgress<BpeProgress>? progress =
            null, CancellationToken stop = default) =>
            Train(pieces, vocabularySize, threads, MaximumTextBytes, PieceBatches.DefaultBatchBytes, progress, stop);

    /// <summary>
    /// The same with another bound on the bytes of distinct pre-tokens, and other batches for the workers.
    /// </summary>
    internal static ByteLevelBpeTokenizer Train(
        IEnumerable<ReadOnlyMemory<byte>> pieces, int vocabularySize, int threads, long maximumTextBytes,
        int batchBytes, IProgress<BpeProgress>? progress, CancellationToken stop)
    {
        CheckSize(vocabularySize);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        var counter =
            new PreTokenCounter(maximumTextBytes, threads, vocabularySize - MinimumVocabularySize, progress, stop);
        using (var source = pieces.GetEnumerator())
            counter.Count(new PieceBatches(source, batchBytes));
        return Merge(counter.Parts, vocabularySize, counter.Progress, progress, stop);
    }

    // Takes the counts out of the array, so that their memory is free while pairs are merged.
    private static ByteLevelBpeTokenizer Merge(
        PreTokenCounts[] counts, int vocabularySize, BpeProgress state, IProgress<BpeProgress>? progress,
        CancellationToken stop)
    {
        const int MergesPerReport = 1000;
        var tokens = new List<byte[]>(Enumerable.Range(0, 256).Select(b => new[] { (byte)b }));
        var merges = new List<(int Left, int Right)>();
        var rows = new BpeRows(counts, stop);
        Array.Clear(counts);
        var pairs = new BpePairs(rows, MinimumCount, stop);

        // Counts only fall after the merge that creates a pair, so an outdated entry is too high: it is met too early
        // and put back.
        var queue = new PriorityQueue<TokenPair, Candidate>();
        Offer();
        int limit = vocabularySize - Tokenizer.SpecialTokens.Count;
        while (tokens.Count < limit && queue.TryDequeue(out var best, out var candidate))
        {
            stop.ThrowIfCancellationRequested();
            long count = pairs.Count(best);
            if (count != candidate.Count)
            {
                if (count > 0)
                    queue.Enqueue(best, new Candidate(count, best));
                continue;
            }

            pairs.Merge(best, tokens.Count, stop);
            merges.Add((best.Left, best.Right));
            tokens.Add([.. tokens[best.Left], .. tokens[best.Right]]);
            Offer();
            if (merges.Count % MergesPerReport == 0)
                progress?.Report(state with { Merges = merges.Count });
        }

        progress?.Report(state with { Merges = merges.Count });
        return new ByteLevelBpeTokenizer(tokens, merges);

        void Offer()
        {
            foreach (var (pair, count) in pairs.Created)
                queue.Enqueue(pair, new Candidate(count, pair));
        }
    }

    private static void CheckSize(int vocabularySize)
    {
        if (vocabularySize < MinimumVocabularySize)
        {
            throw new TinyLlmException($"A bpe vocabulary of {vocabularySize} is too small; expected at least "
                + $"{MinimumVocabularySize} (256 bytes and {Tokenizer.SpecialTokens.Count} special tokens); raise the "
                + "vocabulary size.");
        }
    }

    /// <summary>The order of merging: the larger count first, then the smaller pair.</summary>
    private readonly record struct Candidate(long Count, TokenPair Pair) : IComparable<Candidate>
    {
        public int CompareTo(Candidate other) => Count != other.Count ? other.Count.CompareTo(Count)
            : Pair.CompareTo(other.Pair);
    }
}
