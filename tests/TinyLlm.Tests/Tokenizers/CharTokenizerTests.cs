using System.Text;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public class CharTokenizerTests
{
    [Fact]
    public void Train_SortsTheCharactersByCodePoint_WithThoseOfTheChatHeaders()
    {
        var tokenizer = CharTokenizer.Train("Zz\U0001F600\u4F60 e\u0301"u8);
        var expected = "\n Zaeimnrstuyz\u0301\u4F60".Select(c => new Rune(c)).Append(new Rune(0x1F600));
        Assert.Equal(expected.Order(), tokenizer.Characters);
        Assert.Equal(expected.Count() + 3, tokenizer.VocabularySize);
        Assert.Equal("char", tokenizer.Kind);
    }

    [Fact]
    public void Train_OnNothing_CanWriteChatHeaders()
    {
        var tokenizer = CharTokenizer.Train(""u8);
        Assert.Equal(tokenizer.EndOfText, tokenizer.Characters.Count);
        foreach (string role in ChatTemplate.Roles)
            Assert.Equal(role + "\n", Encoding.UTF8.GetString(tokenizer.Decode(tokenizer.Encode(role + "\n"))));
    }

    [Fact]
    public void Encode_GivesOneIdACharacter_AndRoundTrips()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            byte[] text = TextSamples.Random(new Random(seed), 80, withInvalid: false);
            var tokenizer = CharTokenizer.Train(text);
            int[] ids = tokenizer.Encode(text);
            Assert.Equal(Encoding.UTF8.GetString(text).EnumerateRunes(), ids.Select(id => tokenizer.Characters[id]));
            Assert.Equal(text, tokenizer.Decode(ids));
            Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.EndOfText - 1));
        }
    }

    [Theory]
    [InlineData("abc\u00E9", "U+00E9", "byte 3")]
    [InlineData("ab\U0001F600", "U+1F600", "byte 2")]
    [InlineData("\u4F60\u597D", "U+597D", "byte 3")]
    [InlineData("a\0", "U+0000", "byte 1")]
    public void Encode_OfAnUnknownCharacter_IsRefused(string text, string character, string offset)
    {
        var tokenizer = CharTokenizer.Train("abc\u4F60"u8);
        var e = Assert.Throws<TinyLlmException>(() => tokenizer.Encode(text));
        Assert.Contains(character, e.Message);
        Assert.Contains(offset, e.Message);
        Assert.Contains("bpe or byte", e.Message);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void InvalidUtf8_IsRefused()
    {
        byte[] text = [(byte)'a', (byte)'b', 0xE4, 0xBD, (byte)'c'];
        foreach (var act in (Action[])[() => CharTokenizer.Train(text),
            () => CharTokenizer.Train("abc"u8).Encode(text)])
        {
            var e = Assert.Throws<TinyLlmException>(act);
            Assert.Contains("0xE4 at offset 2", e.Message);
        }
    }

    [Fact]
    public void Decode_OfAnUnknownId_IsRefused()
    {
        var tokenizer = CharTokenizer.Train(""u8);
        Assert.Throws<TinyLlmException>(() => tokenizer.TokenBytes(tokenizer.VocabularySize).ToArray());
        Assert.Throws<TinyLlmException>(() => tokenizer.TokenBytes(-1).ToArray());
        Assert.Equal("<|im_end|>"u8, tokenizer.TokenBytes(tokenizer.TurnEnd));
    }

    // nanoGPT's shakespeare_char has 65 characters; the letters of the chat headers are among them.
    [Fact]
    public void Train_OnTinyShakespeare_HasNanoGptsVocabulary()
    {
        string path = Path.Combine(Repository.Root ?? "", "..", "shared", "data", "tinyshakespeare.txt");
        Assert.SkipUnless(File.Exists(path), "tinyshakespeare.txt is not beside this repository");
        Assert.Equal(65 + 3, CharTokenizer.Train(File.ReadAllBytes(path)).VocabularySize);
    }
}
