using System.Text;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Data.Tokens;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data;

public sealed class CorpusTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Tokenizer tokenizer = new ByteTokenizer();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TheLastTenth_IsValidation()
    {
        folder.Write("a.txt", SmallRun.Text(500));
        using var corpus = Open(["a.txt"]);
        int tokens = File.ReadAllBytes(folder["a.txt"]).Length + 2;
        Assert.Equal((tokens - tokens / 10, tokens / 10), (corpus.TrainTokens, corpus.ValidationTokens));
        Assert.Equal(((long)tokens - tokens / 10 - 1) / 8, corpus.Train.Count);

        folder.Write("b.txt", "validation text");
        using var apart = Open(["a.txt"], ["b.txt"]);
        Assert.Equal((tokens, 17), (apart.TrainTokens, apart.ValidationTokens));
    }

    /// <summary>
    /// Begin, text, end, begin: of Llama 3's tokens the second begin is no target, whether the text is encoded in
    /// memory or prepared.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheBeginOfADocument_IsNeverATarget(bool prepared)
    {
        var llama = TokenizerFolder.Load(Path.Combine(AppContext.BaseDirectory, "Golden", "tokenizers", "llama3"));
        folder.Write("a.txt", SmallRun.Text(300));
        int count = llama.Encode(File.ReadAllBytes(folder["a.txt"])).Length;
        string word = folder["a.txt"];
        var stop = TestContext.Current.CancellationToken;
        if (prepared)
        {
            new Preparation(DataSource.Parse([word], new SourceOptions()), llama, folder["tokens"]).Run(1, null, stop);
            word = folder["tokens"];
        }

        var source = DataSource.Parse([word], new SourceOptions())[0];
        using var corpus = Corpus.Open(source, Split.Validation, llama, 8, stop);
        Assert.Equal(count + 3, corpus.ValidationTokens);
        int[] tokens = new int[8], targets = new int[8];
        var scored = new List<int>();
        for (long i = 0; i < corpus.Validation.Count; i++)
        {
            corpus.Validation.Read(0, i, tokens, targets);
            scored.AddRange(targets.Where(t => t >= 0));
        }

        Assert.Equal(count + 1, scored.Count);
        Assert.DoesNotContain(llama.DocumentStart, scored);
        Assert.Equal(llama.EndOfText, scored[^1]);
    }

    [Fact]
    public void LargeText_IsPreparedOnce_AndGivesWhatMemoryGives()
    {
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(SmallRun.Text(100_000), 180)));
        File.WriteAllBytes(folder["large.txt"], text);
        using (var corpus = Open(["large.txt"]))
            Assert.Equal(text.Length + 2 - 1_000_000, corpus.TrainTokens);
        string prepared = Assert.Single(Directory.GetDirectories(folder["prepared"]));
        var written = Directory.GetLastWriteTimeUtc(prepared);

        using var again = Open(["large.txt"]);
        Assert.Equal(written, Directory.GetLastWriteTimeUtc(prepared));
        int[] tokens = new int[8], targets = new int[8];
        again.Train.Read(0, 12_345, tokens, targets);
        Assert.Equal(text.AsSpan(8 * 12_345 - 1, 8).ToArray().Select(b => (int)b), tokens);
        Assert.Equal(text.AsSpan(8 * 12_345, 8).ToArray().Select(b => (int)b), targets);

        File.AppendAllText(folder["large.txt"], "more");
        using var changed = Open(["large.txt"]);
        Assert.Equal(2, Directory.GetDirectories(folder["prepared"]).Length);
        Assert.NotEqual(DataHash.Of(again.Train), DataHash.Of(changed.Train));
    }

    [Fact]
    public void Weights_DrawSourcesInTheirShares()
    {
        folder.Write("a.txt", new string('a', 500));
        folder.Write("b.txt", new string('b', 5000));
        using var corpus = Open(["a.txt=3", "b.txt=1"]);
        var order = corpus.Train.Order(seed: 1);
        int[] tokens = new int[8], targets = new int[8];
        int a = 0;
        for (int i = 0; i < WeightedOrder.BlockLength; i++)
        {
            var (epoch, index) = order.At(i);
            corpus.Train.Read(epoch, index, tokens, targets);
            a += targets[3] == 'a' ? 1 : 0;
        }

        Assert.Equal(7500, a);
        using var other = Open(["a.txt=3", "b.txt=2"]);
        Assert.NotEqual(DataHash.Of(corpus.Train), DataHash.Of(other.Train));
    }

    [Fact]
    public void PreparedFolders_AndTokenFiles_AreReadAsTheyAre()
    {
        folder.Write("a.txt", SmallRun.Text(3000));
        new Preparation(DataSource.Parse([folder["a.txt"]], new SourceOptions()), tokenizer, folder["shards"])
            .Run(2, stop: TestContext.Current.CancellationToken);
        folder.Write("b.bin", Encoding.Unicode.GetBytes("sixteen bits a token make a text of tokens"));
        using var text = Open(["a.txt"]);
        using var shards = Open(["shards"]);
        using var both = Open(["shards", "b.bin"]);
        Assert.Equal((text.TrainTokens, text.ValidationTokens), (shards.TrainTokens, shards.ValidationTokens));
        int[] tokens = new int[8], targets = new int[8], shardTokens = new int[8], shardTargets = new int[8];
        for (long i = 0; i < text.Train.Count; i++)
        {
            text.Train.Read(1, i, tokens, targets);
            shards.Train.Read(1, i, shardTokens, shardTargets);
            Assert.Equal(tokens, shardTokens);
            Assert.Equal(targets, shardTargets);
        }

        Assert.Equal(shards.TrainTokens + 38, both.TrainTokens);
        UserError.Expect(
            () => Open(["shards"], tokenizer: BpeTrainer.Train("some text here"u8, 260)), "another tokenizer");
    }

    private Corpus Open(string[] names, string[]? validation = null, Tokenizer? tokenizer = null) => Corpus.Open(
        Sources(names), Sources(validation ?? []), tokenizer
        ?? this.tokenizer, new CorpusSettings(8, folder["prepared"], 2));

    private IReadOnlyList<DataSource> Sources(string[] names) =>
        DataSource.Parse([.. names.Select(name => folder[name])], new SourceOptions());
}
