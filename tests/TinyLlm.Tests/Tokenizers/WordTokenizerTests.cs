using System.Text;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public class WordTokenizerTests
{
    private static readonly string[] headers = ["system", "user", "assistant", "\n"];

    [Fact]
    public void Train_TakesTheMostFrequentWords_TiesByTheirBytes()
    {
        var tokenizer = Train("b b b a a \uFF01 \U0001F600 c", 100);
        Assert.Equal([.. headers, " a", " b", " c", " \uFF01", " \U0001F600", "b"], tokenizer.Words);
        Assert.Equal((10, 11, 14), (tokenizer.Unknown, tokenizer.EndOfText, tokenizer.VocabularySize));
        Assert.Equal("word", tokenizer.Kind);
    }

    [Fact]
    public void Train_LeavesOutWhatIsRareOrHasNoRoom()
    {
        Assert.Equal([.. headers, " a", " b"], Train("b b b a a a a c", 10).Words);
        Assert.Equal([.. headers, " a", " b"], Train("b b b a a a a c", 100, minCount: 2).Words);
        Assert.Equal(headers, Train("b b b", 8).Words);
    }

    [Fact]
    public void Train_OnPieces_IsTrainOnTheWhole()
    {
        byte[] text = [.. Enumerable.Range(0, 60)
            .SelectMany(
                seed => (byte[])[.. TextSamples.Random(new Random(seed), 8, withInvalid: true), .. " and then\nso"u8])];
        var pieces = new List<ReadOnlyMemory<byte>>();
        for (int start = 0, length; start < text.Length; start += length)
        {
            length = Math.Min(100, text.Length - start);
            int cut = start + length < text.Length ? TextCut.Any.Last(text.AsSpan(start, length)) : 0;
            length = cut > 0 ? cut : text.Length - start;
            pieces.Add(text.AsMemory(start, length));
        }

        Assert.True(pieces.Count > 5, $"only {pieces.Count} pieces");
        Assert.Equal(WordTokenizer.Train([text], 60).Words, WordTokenizer.Train(pieces, 60).Words);
    }

    [Fact]
    public void Encode_OfKnownWords_RoundTrips()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            byte[] text = TextSamples.Random(new Random(seed), 80, withInvalid: false);
            var tokenizer = WordTokenizer.Train([text], 10_000);
            int[] ids = tokenizer.Encode(text);
            Assert.Equal(text, tokenizer.Decode(ids));
            Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.Words.Count - 1));
        }
    }

    [Fact]
    public void Encode_MarksWhatItDoesNotKnow()
    {
        var tokenizer = Train("the cat sat", 100);
        byte[] text = [.. "the dog sat"u8, 0xE4, 0xBD, .. " cat\tthe"u8];
        Assert.Equal(
            "the<|unknown|> sat<|unknown|> cat<|unknown|>the",
            Encoding.UTF8.GetString(tokenizer.Decode(tokenizer.Encode(text))));
        Assert.Equal(3, tokenizer.Encode(text).Count(id => id == tokenizer.Unknown));
        Assert.False(tokenizer.IsText(tokenizer.Unknown!.Value));
    }

    [Fact]
    public void Encode_OfSpecialNames_GivesNoSpecialToken()
    {
        var tokenizer = Train("x", 100);
        foreach (string name in Tokenizer.SpecialTokens.Append(WordTokenizer.UnknownToken))
            Assert.DoesNotContain(tokenizer.Encode(name), id => id >= tokenizer.EndOfText);
    }

    [Theory]
    [InlineData(7, 1, "A word vocabulary of 7 is too small; expected at least 8")]
    [InlineData(8, 0, "at least 0 times; expected 1 or more")]
    public void Train_WithNonsense_IsRefused(int size, int minCount, string message) =>
        UserError.Expect(() => Train("a", size, minCount), message);

    private static WordTokenizer Train(string text, int size, int minCount = 1) =>
        WordTokenizer.Train([Encoding.UTF8.GetBytes(text)], size, minCount);
}
