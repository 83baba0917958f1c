using System.Text;
using TinyLlm.Data.Sources;
using TinyLlm.Data.Tokens;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data.Tokens;

public sealed class PreparationTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Tokenizer tokenizer = BpeTrainer.Train(Encoding.UTF8.GetBytes(SmallRun.Text(4000)), 300);

    public PreparationTests()
    {
        Directory.CreateDirectory(folder["texts"]);
        for (int i = 0; i < 40; i++)
            folder.Write($"texts/{i:D2}.txt", SmallRun.Text(200 + 50 * i, seed: i));
        folder.Write(
            "texts/rows.jsonl",
            string.Concat(
                Enumerable.Range(0, 50)
                .Select(i => $"{{\"text\": \"{SmallRun.Text(60, i).ReplaceLineEndings(" ")}\"}}\n"))
            + "{\"no\": 1}\n");
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Tokens_AreThoseOfTheDocuments_EachEndedByEndOfText()
    {
        var preparation = Prepare("out", threads: 3, null, TestContext.Current.CancellationToken);
        using var tokens = PreparedTokens.Open(folder["out"], tokenizer);
        var expected = new List<int> { tokenizer.EndOfText };
        foreach (string file in Directory.GetFiles(folder["texts"], "*.txt").Order(StringComparer.Ordinal))
            expected.AddRange([.. tokenizer.Encode(File.ReadAllBytes(file)), tokenizer.EndOfText]);
        for (int i = 0; i < 50; i++)
            expected.AddRange([.. tokenizer.Encode(SmallRun.Text(60, i).ReplaceLineEndings(" ")), tokenizer.EndOfText]);

        Assert.Equal(expected, All(tokens));
        Assert.Equal(90, tokens.Documents);
        Assert.Equal(1, preparation.Report.BadLineCount);
        Assert.Equal(tokenizer.Hash, TokenizerFolder.Load(folder["out"]).Hash);
    }

    [Fact]
    public void Threads_ChangeNoByte()
    {
        Prepare("one", threads: 1, null, TestContext.Current.CancellationToken);
        Prepare("four", threads: 4, null, TestContext.Current.CancellationToken);
        Assert.Equal(Contents("one"), Contents("four"));
    }

    [Fact]
    public void APreparationThatWasStopped_GoesOn_ToTheSameBytes()
    {
        Prepare("whole", threads: 2, null, TestContext.Current.CancellationToken);
        var random = new Random(7);
        for (int stops = 0; stops < 6; stops++)
        {
            using var stop = new CancellationTokenSource();
            int shards = stops + random.Next(1, 3);
            var progress = new Watching(_ =>
            {
                if (Directory.GetFiles(folder["stopped"], "*.tokens").Length >= shards)
                    stop.Cancel();
            });
            Assert.ThrowsAny<OperationCanceledException>(() => Prepare("stopped", threads: 2, progress, stop.Token));
            UserError.Expect(() => PreparedTokens.Open(folder["stopped"], tokenizer), "was not finished");
            UserError.Expect(() => DataSource.Parse([folder["stopped"]], new SourceOptions()), "was not finished");
        }

        string done = Directory.GetFiles(folder["stopped"], "*.tokens").Order(StringComparer.Ordinal).First();
        var written = File.GetLastWriteTimeUtc(done);
        Prepare("stopped", threads: 2, null, TestContext.Current.CancellationToken);
        Assert.Equal(written, File.GetLastWriteTimeUtc(done));
        Assert.Equal(Contents("whole"), Contents("stopped"));
    }

    /// <summary>
    /// One unit of several pieces: it moves within the unit, never back, and reaches the end when the shard is whole.
    /// </summary>
    [Theory]
    [InlineData("txt")]
    [InlineData("jsonl")]
    public void Progress_MovesWithinAUnit(string form)
    {
        string line = SmallRun.Text(40_000, 3).ReplaceLineEndings(" ");
        folder.Write(
            $"long.{form}", form == "txt" ? string.Concat(Enumerable.Repeat(line + "\n", 60))
            : string.Concat(Enumerable.Repeat($"{{\"text\": \"{line}\"}}\n", 60)));
        var seen = new List<PreparationProgress>();
        var preparation =
            new Preparation(DataSource.Parse([folder[$"long.{form}"]], new SourceOptions()), tokenizer, folder["out"]);
        preparation.Run(1, new Watching(seen.Add), TestContext.Current.CancellationToken);

        Assert.True(seen.Count > 2, $"{seen.Count} reports");
        Assert.All(seen, value => Assert.Equal(seen[^1].TotalBytes, value.TotalBytes));
        Assert.All(seen.Zip(seen.Skip(1)),
            pair => Assert.True(pair.First.Bytes <= pair.Second.Bytes && pair.First.Tokens <= pair.Second.Tokens));
        Assert.InRange(seen[0].Bytes, 1, seen[^1].TotalBytes * 0.8);
        Assert.All(seen.SkipLast(1), value => Assert.True(value.Bytes < value.TotalBytes));
        Assert.Equal(seen[^1].TotalBytes, seen[^1].Bytes);
        Assert.Equal(PreparedManifest.Load(folder["out"], PreparedManifest.FileName)!.Tokens, seen[^1].Tokens);
    }

    [Fact]
    public void AnotherTokenizer_OtherFiles_AndForeignFolders_AreRefused()
    {
        Prepare("out", threads: 1, null, TestContext.Current.CancellationToken);
        UserError.Expect(
            () => PreparedTokens.Open(folder["out"], new ByteTokenizer()), "out", "another tokenizer", "--tokenizer");
        UserError.Expect(
            () => new Preparation(Sources(), new ByteTokenizer(), folder["out"])
            .Run(1, stop: TestContext.Current.CancellationToken), "out", "another tokenizer");
        folder.Write("texts/00.txt", "changed");
        UserError.Expect(
            () => Prepare("out", threads: 1, null, TestContext.Current.CancellationToken), "out", "other files");
        UserError.Expect(
            () => Prepare("texts", threads: 1, null, TestContext.Current.CancellationToken), "texts", "not empty");
        UserError.Expect(
            () => new Preparation(DataSource.Parse([folder["out"]], new SourceOptions()), tokenizer, folder["new"]),
            "tokens already");
        Assert.False(Directory.Exists(folder["new"]));
        UserError.Expect(
            () => DataSource.Parse([folder["out/00000.tokens"]], new SourceOptions()), "00000.tokens",
            "the folder that it lies in");
    }

    [Fact]
    public void ADamagedShard_IsNamed()
    {
        Prepare("out", threads: 1, null, TestContext.Current.CancellationToken);
        string shard = Directory.GetFiles(folder["out"], "*.tokens").Order(StringComparer.Ordinal).ElementAt(1);
        byte[] bytes = File.ReadAllBytes(shard);
        bytes[^1] ^= 1;
        File.WriteAllBytes(shard, bytes);
        UserError.Expect(() => PreparedTokens.Open(folder["out"], tokenizer), shard, "checksum");
        File.Delete(shard);
        UserError.Expect(() => PreparedTokens.Open(folder["out"], tokenizer), shard, "no such file");
        folder.Write("out/prepared.json", "{\"version\": 1");
        UserError.Expect(() => PreparedTokens.Open(folder["out"], tokenizer), "prepared.json");
    }

    [Fact]
    public void AnUnreadableSource_LeavesNothingUnderAFinalName()
    {
        folder.Write("texts/zz.jsonl", "not json\n");
        UserError.Expect(
            () => new Preparation(Sources(strict: true), tokenizer, folder["out"])
            .Run(1, stop: TestContext.Current.CancellationToken), "jsonl");
        Assert.False(File.Exists(folder["out/prepared.json"]));
        Assert.DoesNotContain(
            Directory.GetFiles(folder["out"]), file =>
                file.EndsWith(AtomicFile.TemporarySuffix, StringComparison.Ordinal));
    }

    private IReadOnlyList<DataSource> Sources(bool strict = false) =>
        DataSource.Parse([folder["texts"]], new SourceOptions(Strict: strict));

    // Small units, so that there are many shards.
    private Preparation Prepare(
        string name, int threads, IProgress<PreparationProgress>? progress, CancellationToken stop)
    {
        var preparation = new Preparation(Sources(), tokenizer, folder[name], unitBytes: 5000);
        preparation.Run(threads, progress, stop);
        return preparation;
    }

    private (string, string)[] Contents(string name) =>
        [.. Directory.GetFiles(folder[name]).Order(StringComparer.Ordinal)
        .Select(file => (Path.GetFileName(file), Convert.ToHexString(File.ReadAllBytes(file))))];

    private static int[] All(ITokens tokens)
    {
        var all = new int[tokens.Count];
        tokens.Read(0, all);
        return all;
    }

    private sealed class Watching(Action<PreparationProgress> act) : IProgress<PreparationProgress>
    {
        public void Report(PreparationProgress value) => act(value);
    }
}
