using System.Text;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public class PreTokenCountsTests
{
    [Fact]
    public void Add_CountsThePreTokensOfTheText()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            byte[] text = TextSamples.Random(random, random.Next(0, 200), withInvalid: seed % 2 == 1);
            var counts = new PreTokenCounts();
            counts.Add(text);
            var expected = TextSamples.PreTokens(text).Where(p => p != null).CountBy(p => Convert.ToHexString(p!))
                .ToDictionary(p => p.Key, p => (long)p.Value);
            Assert.Equal(expected.OrderBy(p => p.Key), Items(counts).OrderBy(p => p.Key));
            Assert.Equal(expected.Keys.Sum(k => k.Length / 2), counts.TextBytes);
        }
    }

    [Fact]
    public void Add_OfAsManyWordsAsMakeItGrow_KeepsThemAll()
    {
        const int Words = 100_000;
        var counts = new PreTokenCounts();
        for (int round = 1; round <= 2; round++)
        {
            for (int word = 0; word < Words; word++)
                counts.Add(Encoding.ASCII.GetBytes($" {Letters(word)}"));
        }

        Assert.Equal(Words, counts.Count);
        for (int word = 0; word < Words; word++)
        {
            Assert.Equal($" {Letters(word)}", Encoding.ASCII.GetString(counts.Bytes(word)));
            Assert.Equal(2, counts.Occurrences(word));
        }

        static string Letters(int word) =>
            string.Concat(word.ToString("D6").Select(digit => (char)('a' + digit - '0')));
    }

    [Fact]
    public void WithoutRare_KeepsWhatWasSeenMoreOften()
    {
        var counts = new PreTokenCounts();
        counts.Add("a\nb\nc\nb\nc\nc\n"u8);
        Assert.Equal(
            [("0A", 6L), ("63", 3L)],
            Items(counts.WithoutRare(2)).OrderByDescending(p => p.Value).Select(p => (p.Key, p.Value)));
    }

    [Fact]
    public void Clear_ForgetsEverything()
    {
        var counts = new PreTokenCounts();
        counts.Add("one two three"u8);
        counts.Clear();
        counts.Add("two two"u8);
        Assert.Equal(
            [("two", 1), (" two", 1)],
            Items(counts).Select(p => (Encoding.UTF8.GetString(Convert.FromHexString(p.Key)), (int)p.Value)));
    }

    private static IEnumerable<KeyValuePair<string, long>> Items(PreTokenCounts counts)
    {
        for (int number = 0; number < counts.Count; number++)
            yield return new(Convert.ToHexString(counts.Bytes(number)), counts.Occurrences(number));
    }
}
