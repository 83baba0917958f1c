using System.Text;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

/// <summary>
/// Training on a stream of pieces; <see cref="BpeTrainerTests"/> compares training on one text with the textbook.
/// </summary>
public class BpeStreamTests
{
    private const int Megabyte = 1 << 20;

    private static CancellationToken Never => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Train_OnPieces_EqualsTrainingOnTheirCounts(int threads)
    {
        for (int seed = 0; seed < 60; seed++)
        {
            var random = new Random(seed);
            byte[][] pieces = [.. Enumerable.Range(0, random.Next(0, 30))
                .Select(_ => TextSamples.Random(random, random.Next(0, 60), withInvalid: true))];
            var counts = new PreTokenCounts();
            foreach (byte[] piece in pieces)
                counts.Add(piece);

            int size = BpeTrainer.MinimumVocabularySize + random.Next(0, 100);
            Assert.Equal(
                BpeTrainer.Train(counts, size).Merges,
                BpeTrainer.Train(Memory(pieces), size, threads, stop: Never).Merges);
        }
    }

    [Fact]
    public void Train_OnManyBatches_IsTheSameForAnyNumberOfThreads()
    {
        byte[][] pieces = [.. RandomWords(seed: 1, pieces: 9, words: 40_000)];
        var one = BpeTrainer.Train(Memory(pieces), 2000, 1, stop: Never).Merges;
        Assert.Equal(2000 - BpeTrainer.MinimumVocabularySize, one.Count);
        Assert.Equal(one, BpeTrainer.Train(Memory(pieces), 2000, 2, stop: Never).Merges);
        Assert.Equal(one, BpeTrainer.Train(Memory(pieces), 2000, 5, stop: Never).Merges);
        Assert.Equal(one, BpeTrainer.Train([.. pieces.SelectMany(p => p)], 2000).Merges);
    }

    [Fact]
    public void Train_ReadsAPieceBeforeItAsksForTheNext()
    {
        byte[][] pieces = [.. RandomWords(seed: 2, pieces: 3, words: 30_000)];
        Assert.Equal(
            BpeTrainer.Train(Memory(pieces), 500, 2, stop: Never).Merges,
            BpeTrainer.Train(InOneBuffer(), 500, 2, stop: Never).Merges);

        IEnumerable<ReadOnlyMemory<byte>> InOneBuffer()
        {
            byte[] buffer = new byte[pieces.Max(p => p.Length)];
            foreach (byte[] piece in pieces)
            {
                piece.CopyTo(buffer, 0);
                yield return buffer.AsMemory(0, piece.Length);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Train_AboveTheBoundOnDistinctPreTokens_DropsTheRarest(int threads)
    {
        // abcd and efgh occur 4,000 times each and fill half of the bound; the other words are rarer.
        string frequent = string.Concat(Enumerable.Repeat(" abcd efgh", 4000));
        byte[][] pieces = [Encoding.UTF8.GetBytes(frequent), .. RandomWords(seed: 3, pieces: 1, words: 100_000)];
        var progress = new RecordedProgress();
        var bpe = BpeTrainer.Train(
            Memory(pieces), 1000, threads, maximumTextBytes: 20, batchBytes: Megabyte, progress, Never);

        var last = progress.Reports[^1];
        Assert.Equal(
            [" abcd", " efgh"],
            Enumerable.Range(0, bpe.EndOfText).Select(id => Encoding.UTF8.GetString(bpe.TokenBytes(id)))
                .Where(t => t.Length == 5));
        Assert.Equal(8, bpe.Merges.Count);
        Assert.Equal(2, last.DistinctPreTokens);
        Assert.InRange(last.DroppedPreTokens, 50_000, 100_000);
        Assert.Equal(8, last.Merges);
    }

    [Fact]
    public void Train_WithABoundThatIsMetAgainAndAgain_IsTheSameForAnyNumberOfThreads()
    {
        const int Bound = 20_000, Batch = 2000;
        byte[][] pieces = [.. RandomWords(seed: 4, pieces: 1000, words: 150)];
        var progress = new RecordedProgress();
        var one = BpeTrainer.Train(Memory(pieces), 600, 1, Bound, Batch, progress, Never).Merges;
        Assert.True(
            progress.Reports.Select(r => r.DroppedPreTokens).Distinct().Count() >= 4,
            "Pre-tokens must be dropped in several rounds.");
        Assert.Equal(one, BpeTrainer.Train(Memory(pieces), 600, 2, Bound, Batch, null, Never).Merges);
        Assert.Equal(one, BpeTrainer.Train(Memory(pieces), 600, 5, Bound, Batch, null, Never).Merges);
        Assert.NotEqual(one, BpeTrainer.Train(Memory(pieces), 600, 2, stop: Never).Merges);
    }

    [Fact]
    public void Train_TellsItsProgress()
    {
        byte[][] pieces = [.. RandomWords(seed: 6, pieces: 4, words: 150_000)];
        var progress = new RecordedProgress();
        var bpe = BpeTrainer.Train(Memory(pieces), 3000, 2, progress, Never);

        var counts = new PreTokenCounts();
        foreach (byte[] piece in pieces)
            counts.Add(piece);
        Assert.Equal(
            new BpeProgress(
                pieces.Sum(p => (long)p.Length), counts.Count, 0, bpe.Merges.Count,
                3000 - BpeTrainer.MinimumVocabularySize), progress.Reports[^1]);
        Assert.InRange(progress.Reports.Count(r => r.Merges == 0), 3, 10);
        Assert.Equal(2, progress.Reports.Count(r => r.Merges is 1000 or 2000));
        Assert.Equal(progress.Reports.OrderBy(r => r.BytesCounted).ThenBy(r => r.Merges), progress.Reports);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Train_StopsWhileCounting(int threads)
    {
        using var stop = new CancellationTokenSource();
        int taken = 0;
        Assert.ThrowsAny<OperationCanceledException>(
            () => BpeTrainer.Train(Endless(), 1000, threads, null, stop.Token));
        Assert.InRange(taken, 20, 20 + 3 * (threads + 1));

        IEnumerable<ReadOnlyMemory<byte>> Endless()
        {
            byte[] piece = new byte[Megabyte / 2];
            while (true)
            {
                if (++taken == 20)
                    stop.Cancel();
                yield return piece;
            }
        }
    }

    [Fact]
    public void Train_StopsWhileMerging()
    {
        using var stop = new CancellationTokenSource();
        var progress = new RecordedProgress(report =>
        {
            if (report.Merges == 1000)
                stop.Cancel();
        });
        byte[][] pieces = [.. RandomWords(seed: 7, pieces: 1, words: 100_000)];
        Assert.ThrowsAny<OperationCanceledException>(
            () => BpeTrainer.Train(Memory(pieces), 10_000, 1, progress, stop.Token));
        Assert.Equal(1000, progress.Reports[^1].Merges);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Train_OnASourceThatFails_FailsAsTheSource(int threads)
    {
        var e = Assert.Throws<TinyLlmException>(() => BpeTrainer.Train(Failing(), 1000, threads, stop: Never));
        Assert.Equal("The file is cut off.", e.Message);

        static IEnumerable<ReadOnlyMemory<byte>> Failing()
        {
            for (int i = 0; i < 5; i++)
                yield return new byte[Megabyte];
            throw new TinyLlmException("The file is cut off.");
        }
    }

    [Fact]
    public void Train_OnNothing_HasOnlyTheBytes() => Assert.Empty(BpeTrainer.Train([], 1000, 2, stop: Never).Merges);

    [Fact]
    public void Train_BelowTheBytes_IsRefusedBeforeAnythingIsRead()
    {
        var e = Assert.Throws<TinyLlmException>(() => BpeTrainer.Train(Unread(), 258, 2, stop: Never));
        Assert.Contains("at least 259", e.Message);

        static IEnumerable<ReadOnlyMemory<byte>> Unread()
        {
            yield return new byte[1];
            Assert.Fail("The source was read.");
        }
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Memory(byte[][] pieces) =>
        pieces.Select(piece => (ReadOnlyMemory<byte>)piece);

    // Words of 3 to 8 letters, the first ones of the alphabet more often.
    private static IEnumerable<byte[]> RandomWords(int seed, int pieces, int words)
    {
        var random = new Random(seed);
        for (int piece = 0; piece < pieces; piece++)
        {
            var text = new List<byte>(7 * words);
            for (int word = 0; word < words; word++)
            {
                text.Add((byte)' ');
                for (int letters = random.Next(3, 9); letters > 0; letters--)
                    text.Add((byte)('a' + (int)(26 * random.NextDouble() * random.NextDouble())));
            }

            yield return [.. text];
        }
    }

    /// <summary>
    /// Keeps every report, in the order of their coming; <see cref="Progress{T}"/> would hand them to other threads.
    /// </summary>
    private sealed class RecordedProgress(Action<BpeProgress>? also = null) : IProgress<BpeProgress>
    {
        public List<BpeProgress> Reports { get; } = [];

        public void Report(BpeProgress value)
        {
            Reports.Add(value);
            also?.Invoke(value);
        }
    }
}
