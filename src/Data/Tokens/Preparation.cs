using System.Security.Cryptography;
using System.Text;
using TinyLlm.Data.Sources;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Tokens;

/// <summary>How far a preparation is.</summary>
/// <param name="Bytes">Bytes of input behind it.</param>
/// <param name="TotalBytes">Bytes of input in all.</param>
/// <param name="Tokens">Tokens that were written by now, in this run.</param>
public readonly record struct PreparationProgress(long Bytes, long TotalBytes, long Tokens);

/// <summary>
/// Encodes sources into a folder of shards, one for each unit of input, by several threads and in constant memory. A
/// shard has its final name only when it is whole and on the disk, so that a preparation that was killed at any moment
/// goes on where it was; how many threads there are, and how often it was killed, changes no byte.
/// </summary>
public sealed class Preparation
{
    private readonly IReadOnlyList<SourceUnit> units;
    private readonly Tokenizer tokenizer;
    private readonly string folder;
    private readonly PreparedManifest plan;
    private readonly long totalBytes;
    private long doneBytes, doneTokens;

    /// <summary>Looks at the sources; nothing is written yet.</summary>
    /// <param name="sources">Text, which becomes one stream.</param>
    /// <param name="tokenizer">Encodes it; its copies do, one a thread.</param>
    /// <param name="folder">Where the shards go: a new or empty folder, or one that was begun by an equal
    /// preparation.</param>
    /// <param name="unitBytes">About how many bytes of input a shard is made of.</param>
    /// <exception cref="TinyLlmException">A source is tokens already, or its files cannot be read.</exception>
    public Preparation(
        IReadOnlyList<DataSource> sources, Tokenizer tokenizer, string folder,
        long unitBytes = DataSource.DefaultUnitBytes)
    {
        if (sources.FirstOrDefault(s => s.IsTokens) is { } tokens)
            throw new TinyLlmException($"{tokens.Option} {tokens.Name}: these are tokens already; expected text.");
        (this.tokenizer, this.folder) = (tokenizer, folder);
        units = [.. sources.SelectMany(s => s.Units(unitBytes, tokenizer.Cut))];
        totalBytes = units.Sum(u => u.Bytes);
        plan = new PreparedManifest
        {
            Version = PreparedManifest.CurrentVersion,
            TokenizerHash = tokenizer.Hash,
            Sources = [.. sources.Select(s => s.Name)],
            Fingerprint = Key(sources),
        };
    }

    /// <summary>What the reading found in this run.</summary>
    public ReadReport Report { get; } = new();

    /// <summary>Identifies the input of a preparation, whatever the tokenizer, in 64 hexadecimal digits.</summary>
    public static string Key(IEnumerable<DataSource> sources) =>
        Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', sources.Select(s => s.Fingerprint)))));

    /// <summary>Prepares the folder, or what of it is missing; does nothing where it is complete.</summary>
    /// <exception cref="TinyLlmException">The folder holds other data, a source cannot be read or encoded, or the file
    /// system refused. Shards that are done stay.</exception>
    /// <exception cref="OperationCanceledException">It was stopped. Shards that are done stay.</exception>
    public void Run(int threads, IProgress<PreparationProgress>? progress = null, CancellationToken stop = default)
    {
        if (PreparedManifest.Load(folder, PreparedManifest.FileName) is { } complete)
        {
            CheckSame(complete);
            return;
        }

        Begin();
        var headers = new ShardHeader[units.Count];
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = failed.Token };
        try
        {
            var numbers = System.Collections.Concurrent.Partitioner.Create(
                Enumerable.Range(0, units.Count),
                System.Collections.Concurrent.EnumerablePartitionerOptions.NoBuffering);
            Parallel.ForEach(numbers, options, tokenizer.ForAnotherThread, (number, _, own) =>
            {
                headers[number] = Shard(number, own, progress, failed.Token);
                return own;
            }, _ => { });
        }
        catch (AggregateException e)
        {
            stop.ThrowIfCancellationRequested();
            throw e.Flatten().InnerExceptions.OfType<TinyLlmException>().FirstOrDefault()
                ?? e.Flatten().InnerExceptions[0];
        }

        Complete(headers);
    }

    private static string ShardName(int number) => $"{number:D5}{TokenShard.Extension}";

    private void Begin()
    {
        if (PreparedManifest.Load(folder, PreparedManifest.UnfinishedName) is { } begun)
        {
            CheckSame(begun);
            return;
        }

        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
        {
            throw new TinyLlmException($"{folder}: the folder is not empty and holds no preparation; expected a new "
                + "or empty folder. Choose another --out.");
        }

        tokenizer.Save(folder);
        plan.Save(folder, PreparedManifest.UnfinishedName);
    }

    private void CheckSame(PreparedManifest found)
    {
        if (found.TokenizerHash != plan.TokenizerHash)
        {
            throw new TinyLlmException($"{folder} was prepared with another tokenizer (SHA-256 "
                + $"{found.TokenizerHash[..12]}...; expected {plan.TokenizerHash[..12]}...). Choose another --out, or "
                + "remove the folder.");
        }

        if (found.Fingerprint != plan.Fingerprint)
        {
            throw new TinyLlmException($"{folder} was prepared from other files or with other options of reading, or "
                + $"the files have changed since: {string.Join(", ", found.Sources)}. Choose another --out, or remove "
                + "the folder.");
        }
    }

    // A shard that an earlier run finished is taken as it is.
    private ShardHeader Shard(
        int number, Tokenizer own, IProgress<PreparationProgress>? progress, CancellationToken stop)
    {
        string path = Path.Combine(folder, ShardName(number));
        if (!File.Exists(path))
            return Encode(number, path, own, progress, stop);
        Advance(units[number].Bytes, 0, progress);
        return TokenShard.ReadHeader(path);
    }

    private ShardHeader Encode(
        int number, string path, Tokenizer own, IProgress<PreparationProgress>? progress, CancellationToken stop)
    {
        using var writer = new TokenShardWriter(
            path, tokenizer.VocabularySize <= 1 << 16 ? 2 : 4, Convert.FromHexString(tokenizer.Hash));
        var encoder = new DocumentEncoder(own);
        var report = new ReadReport();
        if (number == 0)
            encoder.Begin(writer.Write);
        long doneOfUnit = 0, tokens = 0;
        var (documents, bytes) = encoder.Encode(Watched(units[number].Read(report)), writer.Write, stop);
        Report.Add(report);
        var header = writer.Complete(documents, bytes, report.BadLineCount);
        AdvanceTo(units[number].Bytes);
        return header;

        // A text may be longer or shorter than its input, which may be packed: at most all but one byte of the unit
        // count before its shard is whole.
        IEnumerable<TextPiece> Watched(IEnumerable<TextPiece> pieces)
        {
            long text = 0;
            foreach (var piece in pieces)
            {
                yield return piece;
                text += piece.Bytes.Length;
                AdvanceTo(Math.Min(text, units[number].Bytes - 1));
            }
        }

        void AdvanceTo(long done)
        {
            Advance(done - doneOfUnit, writer.Tokens - tokens, progress);
            (doneOfUnit, tokens) = (done, writer.Tokens);
        }
    }

    private void Advance(long bytes, long tokens, IProgress<PreparationProgress>? progress)
    {
        long allBytes = Interlocked.Add(ref doneBytes, bytes), allTokens = Interlocked.Add(ref doneTokens, tokens);
        progress?.Report(new PreparationProgress(allBytes, totalBytes, allTokens));
    }

    private void Complete(ShardHeader[] headers)
    {
        var manifest = plan with
        {
            Tokens = headers.Sum(h => h.Tokens),
            Documents = headers.Sum(h => h.Documents),
            TextBytes = headers.Sum(h => h.TextBytes),
            BadLines = headers.Sum(h => h.BadLines),
            Shards = [.. headers.Select(
                (h, number) =>
                    new PreparedManifest.Shard(ShardName(number), h.Tokens, Convert.ToHexStringLower(h.Checksum)))],
        };
        manifest.Save(folder, PreparedManifest.FileName);
        File.Delete(Path.Combine(folder, PreparedManifest.UnfinishedName));
    }
}
