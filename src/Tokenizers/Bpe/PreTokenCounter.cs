using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Counts the pre-tokens of a stream of pieces with several workers. Each worker counts a batch in a small table that
/// stays in its cache, and then adds that to the shared counts, which are cut into parts by hash, each with its own
/// lock.
/// </summary>
/// <remarks>
/// Memory: two megabytes or so and a small table a worker, and the shared counts. When those hold more than
/// <paramref name="maximumTextBytes"/> bytes of distinct pre-tokens, the rarest are dropped, those seen once, then
/// those seen twice, until at most half of it is left. That is done between rounds, when no worker is at work, and
/// rounds depend on the pieces alone: the result is the same for any number of threads.
/// </remarks>
internal sealed class PreTokenCounter(
    long maximumTextBytes, int threads, int mergesWanted, IProgress<BpeProgress>? progress, CancellationToken stop)
{
    private const int PartBits = 6; // enough parts that workers seldom wait for each other

    private readonly PreTokenCounts[] parts = [.. Enumerable.Range(0, 1 << PartBits).Select(_ => new PreTokenCounts())];
    private readonly Lock reporting = new();
    private long bytesCounted, dropped;

    /// <summary>Where the counting stands.</summary>
    public BpeProgress Progress => new(bytesCounted, parts.Sum(part => (long)part.Count), dropped, 0, mergesWanted);

    /// <summary>The counts: each pre-token is in one of the parts.</summary>
    public PreTokenCounts[] Parts => parts;

    /// <summary>Counts all pieces.</summary>
    public void Count(PieceBatches batches)
    {
        var workers = Enumerable.Range(0, threads).Select(_ => (Batch: new PieceBatch(), Counts: new PreTokenCounts()))
            .ToArray();
        while (!batches.AtEnd)
        {
            batches.StartRound();
            RunTogether(worker => CountRound(batches, workers[worker].Batch, workers[worker].Counts));
            DropRare();
        }
    }

    // A worker's part in a round: batches until there is none left.
    private void CountRound(PieceBatches batches, PieceBatch batch, PreTokenCounts counts)
    {
        while (batches.Take(batch))
        {
            for (int piece = 0; piece < batch.Count; piece++)
            {
                stop.ThrowIfCancellationRequested();
                counts.Add(batch[piece]);
            }

            for (int number = 0; number < counts.Count; number++)
            {
                var preToken = counts.Bytes(number);
                ulong hash = PreTokenCounts.Hash(preToken);
                var part = parts[hash >> (64 - PartBits)];
                lock (part)
                    part.Add(preToken, hash, counts.Occurrences(number));
            }

            counts.Clear();
            lock (reporting)
            {
                bytesCounted += batch.Length;
                progress?.Report(Progress);
            }
        }
    }

    private void DropRare()
    {
        long textBytes = parts.Sum(part => (long)part.TextBytes);
        if (textBytes <= maximumTextBytes)
            return;

        var bytesByOccurrences = new Dictionary<long, long>();
        foreach (var part in parts)
        {
            for (int number = 0; number < part.Count; number++)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(
                    bytesByOccurrences, part.Occurrences(number), out _) += part.Bytes(number).Length;
            }
        }

        long rare = 0;
        foreach (var (occurrences, bytes) in bytesByOccurrences.OrderBy(item => item.Key))
        {
            if (textBytes <= maximumTextBytes / 2)
                break;
            rare = occurrences;
            textBytes -= bytes;
        }

        for (int i = 0; i < parts.Length; i++)
        {
            stop.ThrowIfCancellationRequested();
            var frequent = parts[i].WithoutRare(rare);
            dropped += parts[i].Count - frequent.Count;
            parts[i] = frequent;
        }

        progress?.Report(Progress);
    }

    // The first error of a worker is the error. Where it was the source's, the others find nothing more to read.
    private void RunTogether(Action<int> work)
    {
        try
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, work);
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }
}
