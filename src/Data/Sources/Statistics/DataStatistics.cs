using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Sources;

/// <summary>What data holds: counts by source and in all, and documents that are there more than once.</summary>
public sealed class DataStatistics
{
    private DataStatistics(IReadOnlyList<TextStatistics> sources, long duplicates, long hashBytes)
    {
        Sources = sources;
        Duplicates = duplicates;
        HashBytes = hashBytes;
        foreach (var source in sources)
            Total.Add(source);
    }

    /// <summary>The counts of each source.</summary>
    public IReadOnlyList<TextStatistics> Sources { get; }

    /// <summary>The counts of all sources together.</summary>
    public TextStatistics Total { get; } = new();

    /// <summary>Documents with exactly the text of one before.</summary>
    public long Duplicates { get; }

    /// <summary>
    /// Memory that finding duplicates took: what grows with the number of documents, 16 to 32 bytes each.
    /// </summary>
    public long HashBytes { get; }

    /// <summary>
    /// Reads all sources, with as much memory as a piece of text takes for each thread, and the hashes of the
    /// documents.
    /// </summary>
    /// <param name="sources">Text; of a built-in corpus the training split.</param>
    /// <param name="tokenizer">Counts tokens; null: they are not counted.</param>
    /// <param name="report">Takes what reading finds.</param>
    /// <param name="threads">How many units of the input are read at once.</param>
    /// <param name="progress">Told the bytes on disk of each unit that is done, by any thread.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="TinyLlmException">A source cannot be read, or holds tokens.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static DataStatistics Collect(
        IReadOnlyList<DataSource> sources, Tokenizer? tokenizer, ReadReport report, int threads, Action<long> progress,
        CancellationToken stop)
    {
        var hashes = new DocumentHashes();
        var statistics = sources.Select(
            source => TextStatistics.Of(source, tokenizer, hashes, report, threads, progress, stop)).ToList();
        return new DataStatistics(statistics, hashes.CountDuplicates(), hashes.MemoryBytes);
    }
}
