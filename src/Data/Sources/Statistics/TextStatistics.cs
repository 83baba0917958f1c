using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Sources;

/// <summary>Counts of a source's documents.</summary>
public sealed class TextStatistics
{
    /// <summary>Bytes of input in a unit of work.</summary>
    private const long UnitBytes = 16 << 20;

    /// <summary>Lengths of the documents in bytes. Their number and sum are those of the text.</summary>
    public LengthHistogram ByteLengths { get; } = new();

    /// <summary>Lengths in tokens, without the end of text; nothing without a tokenizer.</summary>
    public LengthHistogram TokenLengths { get; } = new();

    /// <summary>Unicode characters: bytes that do not continue one.</summary>
    public long Characters { get; private set; }

    /// <summary>Lines; the last of a document needs no line feed.</summary>
    public long Lines { get; private set; }

    /// <summary>Reads all of a source.</summary>
    /// <param name="source">Text; of a built-in corpus the training split.</param>
    /// <param name="tokenizer">Counts tokens; null: they are not counted.</param>
    /// <param name="hashes">Takes a hash of each document.</param>
    /// <param name="report">Takes what reading finds.</param>
    /// <param name="threads">Units that are read at once.</param>
    /// <param name="progress">Told the bytes of each unit that is done, by any thread.</param>
    /// <param name="stop">Ends the work.</param>
    /// <exception cref="TinyLlmException">The source cannot be read.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    internal static TextStatistics Of(
        DataSource source, Tokenizer? tokenizer, DocumentHashes hashes, ReadReport report, int threads,
        Action<long> progress, CancellationToken stop)
    {
        var units = source.Units(UnitBytes, tokenizer?.Cut);
        var parts = new UnitStatistics[units.Count];
        using var tokenizers = new ThreadLocal<Tokenizer?>(() => tokenizer?.ForAnotherThread());
        try
        {
            var order = Partitioner.Create(Enumerable.Range(0, units.Count), EnumerablePartitionerOptions.NoBuffering);
            Parallel.ForEach(
                order, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = stop }, i =>
            {
                parts[i] = UnitStatistics.Read(units[i], tokenizers.Value, hashes, report, stop);
                progress(units[i].Bytes);
            });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }

        var statistics = new TextStatistics();
        statistics.Join(parts, hashes, tokenizer is not null);
        return statistics;
    }

    /// <summary>Adds those of another source.</summary>
    public void Add(TextStatistics other)
    {
        ByteLengths.Add(other.ByteLengths);
        TokenLengths.Add(other.TokenLengths);
        Characters += other.Characters;
        Lines += other.Lines;
    }

    internal void Add(DocumentMeasure document, bool hasTokens)
    {
        ByteLengths.Add(document.Bytes);
        if (hasTokens)
            TokenLengths.Add(document.Tokens);
        Characters += document.Characters;
        Lines += document.Lines;
    }

    // A document may begin in one unit and end in a later one.
    private void Join(UnitStatistics[] units, DocumentHashes hashes, bool hasTokens)
    {
        DocumentMeasure? open = null;
        foreach (var unit in units)
        {
            if (unit.First is { } first)
            {
                DocumentMeasure document = open?.Join(first) ?? first;
                if (unit.FirstEnds)
                {
                    Add(document, hasTokens);
                    hashes.Add(document.Hash);
                }

                open = unit.FirstEnds ? unit.Last : document;
            }

            Add(unit.Between);
        }
    }
}

/// <summary>Counts of one unit.</summary>
/// <param name="First">The first document, or the part of it that is here; null in a unit without text.</param>
/// <param name="FirstEnds">Whether the first document ends here.</param>
/// <param name="Between">The documents that begin after the first and end here.</param>
/// <param name="Last">What is here of a document that begins after the first and goes on in the next unit.</param>
internal sealed record UnitStatistics(
    DocumentMeasure? First, bool FirstEnds, TextStatistics Between, DocumentMeasure? Last)
{
    /// <summary>
    /// Reads a unit. The first document's hash is left to the caller, who knows whether it began before.
    /// </summary>
    public static UnitStatistics Read(
        SourceUnit unit, Tokenizer? tokenizer, DocumentHashes hashes, ReadReport report, CancellationToken stop)
    {
        using var meter = new DocumentMeter(tokenizer);
        DocumentMeasure? first = null;
        var between = new TextStatistics();
        foreach (var piece in unit.Read(report))
        {
            stop.ThrowIfCancellationRequested();
            meter.Add(piece.Bytes.Span);
            if (!piece.EndsDocument)
                continue;
            var document = meter.Finish();
            if (first is null)
            {
                first = document;
                continue;
            }

            between.Add(document, tokenizer is not null);
            hashes.Add(document.Hash);
        }

        bool firstEnds = first is not null;
        DocumentMeasure? open = meter.HasBegun ? meter.Finish() : null;
        return new UnitStatistics(first ?? open, firstEnds, between, firstEnds ? open : null);
    }
}
