using System.Text;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public class ByteTokenizerTests
{
    private readonly ByteTokenizer tokenizer = new();

    [Fact]
    public void Ids_AreTheBytesThenTheSpecialTokens()
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(b => (byte)b)];
        Assert.Equal(Enumerable.Range(0, 256), tokenizer.Encode(all));
        Assert.Equal(all, tokenizer.Decode(tokenizer.Encode(all)));
        Assert.Equal(
            (259, 256, 257, 258),
            (tokenizer.VocabularySize, tokenizer.EndOfText, tokenizer.TurnStart, tokenizer.TurnEnd));
        Assert.Equal("byte", tokenizer.Kind);
    }

    [Fact]
    public void Encode_OfSpecialNames_GivesNoSpecialToken()
    {
        string text = string.Concat(Tokenizer.SpecialTokens);
        int[] ids = tokenizer.Encode(text);
        Assert.Equal(text.Length, ids.Length);
        Assert.All(ids, id => Assert.InRange(id, 0, 255));
        Assert.Equal(text, Encoding.UTF8.GetString(tokenizer.Decode([256, 257, 258])));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(259)]
    public void Decode_OfAnUnknownId_IsRefused(int id)
    {
        var e = Assert.Throws<TinyLlmException>(() => tokenizer.Decode([id]));
        Assert.Contains($"Token id {id} is not in the vocabulary; expected 0 to 258", e.Message);
    }
}
