using System.Text;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Counts of documents, whatever units they lie in.</summary>
public class DataStatisticsTests
{
    /// <summary>Files of more than a unit, two of them the same, beside small ones.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Counts_HoldOverUnits(int threads)
    {
        using var folder = new TemporaryFolder();
        var random = new Random(1);
        byte[] piece = SourceReading.RandomText(random, 20_000);
        byte[] text = Encoding.UTF8.GetBytes(
            string.Concat(Enumerable.Repeat(Encoding.UTF8.GetString(piece), (40 << 20) / piece.Length)));
        folder.Write("a.txt", text);
        folder.Write("b.txt", text);
        folder.Write("c.txt", text[..^1]);
        folder.Write("d.txt", "small");
        folder.Write("e.jsonl", "{\"text\": \"small\"}\n{\"text\": \"smaller\\n\"}\n");
        var report = new ReadReport();
        long read = 0;
        var sources = DataSource.Parse([folder.Path], new SourceOptions());
        var counts = DataStatistics.Collect(
            sources, null, report, threads, bytes =>
                Interlocked.Add(ref read, bytes), TestContext.Current.CancellationToken);

        Assert.Equal((6, 2), (counts.Total.ByteLengths.Count, counts.Duplicates));
        Assert.Equal((3L * text.Length) - 1 + 5 + 5 + 8, counts.Total.ByteLengths.Sum);
        Assert.Equal((5, text.Length), (counts.Total.ByteLengths.Shortest, counts.Total.ByteLengths.Longest));
        Assert.Equal(
            3L * text.Count(b => b == '\n') + (text[^1] == '\n' ? 2 - 1 : 3) + 1 + 1 + 1,
            counts.Total.Lines + (text[^1] == '\n' ? 1 : 0));
        Assert.Equal(sources[0].Bytes, read);
        Assert.Equal(0, counts.Total.TokenLengths.Count);
        Assert.InRange(counts.HashBytes, 16 * 6, 16 * 6 * 8);
    }

    [Fact]
    public void Counts_AreThoseOfTheTexts()
    {
        using var folder = new TemporaryFolder();
        var random = new Random(2);
        string[] texts = [.. Enumerable.Range(0, 500)
            .Select(i =>
                new string((char)('a' + random.Next(3)), random.Next(1, 6))
                    + (i % 7 == 0 ? "\n" : i % 5 == 0 ? "\n\u4e2d" : ""))];
        folder.Write(
            "a.jsonl", string.Concat(
                texts.Select(text => System.Text.Json.JsonSerializer.Serialize(new { text }) + "\n")));
        var tokenizer = BpeTrainer.Train("aaa bbb ccc"u8, 262);
        var counts = DataStatistics.Collect(
            DataSource.Parse([folder["a.jsonl"]], new SourceOptions()), tokenizer, new ReadReport(), 2, _ =>
            { }, TestContext.Current.CancellationToken);

        Assert.Equal(texts.Length - texts.Distinct().Count(), counts.Duplicates);
        Assert.Equal(texts.Sum(text => text.Length), counts.Total.Characters);
        Assert.Equal(texts.Sum(text => text.TrimEnd('\n').Split('\n').Length), counts.Total.Lines);
        Assert.Equal(texts.Sum(text => tokenizer.Encode(text).Length), counts.Total.TokenLengths.Sum);
        Assert.Equal(texts.Sum(text => Encoding.UTF8.GetByteCount(text)), counts.Total.ByteLengths.Sum);
        Assert.All(counts.Total.ByteLengths.Bars,
            bar => Assert.Equal(
                texts.Count(
                    text => Encoding.UTF8.GetByteCount(text) >= bar.From && Encoding.UTF8.GetByteCount(text) <= bar.To),
                bar.Count));
    }

    [Fact]
    public void Errors_AreThoseOfTheReader()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.txt.gz", "no gzip at all");
        UserError.Expect(
            () => DataStatistics.Collect(
                DataSource.Parse([path], new SourceOptions()), null, new ReadReport(), 2, _ =>
                { }, TestContext.Current.CancellationToken), path);
    }
}
