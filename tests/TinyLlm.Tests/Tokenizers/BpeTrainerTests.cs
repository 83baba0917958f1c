using System.Text;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public class BpeTrainerTests
{
    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void Train_MergesAsTheTextbook(int group, bool withInvalid)
    {
        for (int seed = 0; seed < 400; seed++)
        {
            var random = new Random(1000 * group + seed);
            byte[] text = TextSamples.Random(random, random.Next(0, 80), withInvalid);
            CheckAgainstTextbook(text, 259 + random.Next(0, 60), $"seed {1000 * group + seed}");
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n\n\n\n")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("aaaaab aaaab aaab aab ab baaaaa baaaa baaa baa ba")]
    [InlineData("\u4F60\u597D\u4E16\u754C\u4F60\u597D\u4E16\u754C\u4F60\u597D")]
    [InlineData("\U0001F600\U0001F600\U0001F601 \U0001F600\U0001F601\U0001F601\U0001F601")]
    public void Train_MergesAsTheTextbook_OnSpecialTexts(string text) =>
        CheckAgainstTextbook(Encoding.UTF8.GetBytes(text), 330, text);

    [Fact]
    public void Train_OfEqualCounts_TakesTheSmallerPair()
    {
        var bpe = BpeTrainer.Train("dc\ndc\nda\nda\nbz\nbz\n"u8, 1000);
        Assert.Equal([('b', 'z'), ('d', 'a'), ('d', 'c')], bpe.Merges.Select(m => ((char)m.Left, (char)m.Right)));
    }

    [Fact]
    public void Train_StopsWhenNoPairOccursTwice()
    {
        var bpe = BpeTrainer.Train("ab cd ab"u8, 1000);
        Assert.Equal([('a', 'b')], bpe.Merges.Select(m => ((char)m.Left, (char)m.Right)));
        Assert.Equal(256 + 1 + 3, bpe.VocabularySize);
    }

    [Fact]
    public void Train_OnPartsInAnyOrder_GivesTheSame()
    {
        byte[][] documents =
            [.. Enumerable.Range(0, 20).Select(seed => TextSamples.Random(new Random(seed), 100, withInvalid: true))];
        var forward = new PreTokenCounts();
        foreach (byte[] document in documents)
            forward.Add(document);
        PreTokenCounts backward = new(), rest = new();
        for (int i = documents.Length - 1; i >= 0; i--)
            (i % 2 == 0 ? backward : rest).Add(documents[i]);
        backward.Add(rest);

        Assert.Equal(BpeTrainer.Train(forward, 400).Merges, BpeTrainer.Train(backward, 400).Merges);
    }

    [Theory]
    [InlineData(258)]
    [InlineData(0)]
    [InlineData(-5)]
    public void Train_BelowTheBytes_IsRefused(int size)
    {
        var e = Assert.Throws<TinyLlmException>(() => ByteLevelBpeTokenizer.Train("text"u8, size));
        Assert.Contains("at least 259", e.Message);
    }

    [Fact]
    public void Train_OnOneEndlessWord_IsNotQuadratic()
    {
        // A million characters without a break: merging rewrites places, not words, so this is done in a second or two.
        var random = new Random(7);
        byte[] text = [.. Enumerable.Range(0, 1_000_000).Select(_ => (byte)('a' + random.Next(4)))];
        var bpe = BpeTrainer.Train(text, 1000);
        Assert.Equal(1000, bpe.VocabularySize);
        int[] ids = bpe.Encode(text);
        Assert.InRange(ids.Length, 1, 300_000);
        Assert.Equal(text, bpe.Decode(ids));
    }

    private static void CheckAgainstTextbook(byte[] text, int vocabularySize, string what)
    {
        var bpe = BpeTrainer.Train(text, vocabularySize);
        var expected = Textbook(text, vocabularySize - 259);
        Assert.True(expected.SequenceEqual(bpe.Merges), $"{what}: expected {string.Join(' ', expected)}, got "
            + $"{string.Join(' ', bpe.Merges)}");
        Assert.Equal(259 + expected.Count, bpe.VocabularySize);
        var tokens = Enumerable.Range(0, bpe.EndOfText).Select(id => Convert.ToHexString(bpe.TokenBytes(id))).ToArray();
        Assert.Equal(tokens.Length, tokens.Distinct().Count());
        Assert.Equal(text, bpe.Decode(bpe.Encode(text)));
    }

    /// <summary>Counts every pair of the whole text anew for each merge.</summary>
    private static List<(int, int)> Textbook(byte[] text, int limit)
    {
        var words = TextSamples.PreTokens(text).Where(p => p != null).Select(p => p!.Select(b => (int)b).ToList())
            .ToList();
        var merges = new List<(int, int)>();
        while (merges.Count < limit)
        {
            var counts = new Dictionary<(int, int), int>();
            foreach (var word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                    counts[(word[i], word[i + 1])] = counts.GetValueOrDefault((word[i], word[i + 1])) + 1;
            }

            var best = counts.OrderByDescending(p => p.Value).ThenBy(p => p.Key.Item1).ThenBy(p => p.Key.Item2)
                .FirstOrDefault();
            if (best.Value < 2)
                break;
            foreach (var word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if ((word[i], word[i + 1]) == best.Key)
                    {
                        word[i] = 256 + merges.Count;
                        word.RemoveAt(i + 1);
                    }
                }
            }

            merges.Add(best.Key);
        }

        return merges;
    }
}
