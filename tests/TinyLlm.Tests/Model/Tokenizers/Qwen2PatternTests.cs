using System.Text;
using TinyLlm.Model.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Model.Tokenizers;

public class Qwen2PatternTests
{
    [Fact]
    public void Next_CutsAsTheRegularExpression()
    {
        for (int seed = 0; seed < 2000; seed++)
        {
            byte[] text = TextSamples.Random(new Random(seed), 40, withInvalid: false);
            var expected = TextSamples.PreTokens(text).Select(p => Encoding.UTF8.GetString(p!));
            Assert.Equal(expected, Cut(Encoding.UTF8.GetString(text)));
        }
    }

    // What Hugging Face's library answers, also where .NET's regular expressions would cut otherwise.
    [Theory]
    [InlineData("\U00020000a b", "\U00020000a| b")]
    [InlineData("\U0001D49C\U0001D7D8z", "\U0001D49C|\U0001D7D8|z")]
    [InlineData(" \U00020000 \U0001F600\U0001F600a", " \U00020000| \U0001F600\U0001F600|a")]
    [InlineData("x'\u017Fat", "x|'\u017F|at")]
    [InlineData("'l\u017F", "'l\u017F")]
    [InlineData("x'S'LL'ReX", "x|'S|'LL|'Re|X")]
    [InlineData("a\n  \n b", "a|\n  \n| b")]
    [InlineData("a \u0085\u2028b\u180E c", "a| \u0085|\u2028b|\u180E| c")]
    [InlineData("\u0661\u0662\u2167\u00BD x", "\u0661|\u0662|\u2167|\u00BD| x")]
    [InlineData("a\x1C" + "b \x1F\x1F" + "c\u200Bd", "a|\x1C" + "b| \x1F\x1F|c|\u200Bd")]
    public void Next_CutsAsHuggingFace(string text, string preTokens) => Assert.Equal(preTokens, string.Join('|', Cut(text)));

    [Fact]
    public void Blocks_OfLongText_GiveTheSamePreTokensAndBytes()
    {
        // Several blocks, with and without places to cut, and invalid bytes near their ends.
        foreach (string line in (string[])["word word\n", "word ", "\u4F60\u597D\n", "\n"])
        {
            var text = new List<byte>();
            for (int i = 0; text.Count < 200_000; i++)
            {
                text.AddRange(Encoding.UTF8.GetBytes(line));
                if (i % 1000 == 999)
                    text.Add(0xE4);
            }

            var actual = new List<byte[]?>();
            using var blocks = new Utf8Blocks(text.ToArray());
            while (blocks.Read())
            {
                actual.AddRange(Cut(blocks.Text.ToString()).Select(Encoding.UTF8.GetBytes));
                actual.AddRange(Enumerable.Repeat<byte[]?>(null, blocks.Invalid.Length));
            }

            Assert.Equal(TextSamples.PreTokens([.. text]), actual);
        }
    }

    private static List<string> Cut(string text)
    {
        var result = new List<string>();
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = Qwen2Pattern.Next(text, start);
            Assert.InRange(end, start + 1, text.Length);
            result.Add(text[start..end]);
        }

        return result;
    }
}
