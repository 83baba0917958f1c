using System.Text;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public class PreTokenizerTests
{
    /// <summary>The published patterns, and that of words.</summary>
    public static readonly IReadOnlyDictionary<string, PreTokenizer> Patterns = new Dictionary<string, PreTokenizer>
    {
        ["gpt2"] = PreTokenizer.Gpt2,
        ["cl100k"] = PreTokenizer.Cl100k,
        ["qwen2"] = PreTokenizer.Qwen2,
        ["o200k"] = PreTokenizer.O200k,
        ["word"] = new WordPattern(),
    };

    public static TheoryData<string> Names => [.. Patterns.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Next_CutsAsTheRegularExpression(string name)
    {
        for (int seed = 0; seed < 3000; seed++)
        {
            byte[] text = TextSamples.Random(new Random(seed), 40, withInvalid: false);
            var expected = TextSamples.PreTokens(text, Patterns[name].Regex).Select(p => Encoding.UTF8.GetString(p!));
            Assert.Equal(expected, Cut(name, Encoding.UTF8.GetString(text)));
        }
    }

    // What Hugging Face's library answers, also where .NET's regular expressions would cut otherwise.
    [Theory]
    [InlineData("qwen2", "\U00020000a b", "\U00020000a| b")]
    [InlineData("qwen2", "\U0001D49C\U0001D7D8z", "\U0001D49C|\U0001D7D8|z")]
    [InlineData("qwen2", " \U00020000 \U0001F600\U0001F600a", " \U00020000| \U0001F600\U0001F600|a")]
    [InlineData("qwen2", "x'\u017Fat", "x|'\u017F|at")]
    [InlineData("qwen2", "'l\u017F", "'l\u017F")]
    [InlineData("qwen2", "x'S'LL'ReX", "x|'S|'LL|'Re|X")]
    [InlineData("qwen2", "a\n  \n b", "a|\n  \n| b")]
    [InlineData("qwen2", "a \u0085\u2028b\u180E c", "a| \u0085|\u2028b|\u180E| c")]
    [InlineData("qwen2", "\u0661\u0662\u2167\u00BD x", "\u0661|\u0662|\u2167|\u00BD| x")]
    [InlineData("qwen2", "a\x1C" + "b \x1F\x1F" + "c\u200Bd", "a|\x1C" + "b| \x1F\x1F|c|\u200Bd")]
    [InlineData("cl100k", "12345 \u0661\u0662\u2167\u00BD", "123|45| |\u0661\u0662\u2167|\u00BD")]
    [InlineData("gpt2", "x's'S  12345a\n\nb !? ", "x|'s|'|S| | 12345|a|\n|\n|b| !?| ")]
    [InlineData("o200k", "HELLOWorld iPhone12345.\n/x", "HELLOWorld| i|Phone|123|45|.\n/|x")]
    [InlineData("o200k", "don't DON'Tx \u3042A\u3042b", "don't| DON'T|x| \u3042A\u3042b")]
    [InlineData("word", "don't 'x' a_1  b\n(c", "don't| '|x|'| a_1| | b|\n|(|c")]
    public void Next_CutsAsHuggingFace(string name, string text, string preTokens) =>
        Assert.Equal(preTokens, string.Join('|', Cut(name, text)));

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
                actual.AddRange(Cut("qwen2", blocks.Text.ToString()).Select(Encoding.UTF8.GetBytes));
                actual.AddRange(Enumerable.Repeat<byte[]?>(null, blocks.Invalid.Length));
            }

            Assert.Equal(TextSamples.PreTokens([.. text]), actual);
        }
    }

    private static List<string> Cut(string name, string text)
    {
        var result = new List<string>();
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = Patterns[name].Next(text, start);
            Assert.InRange(end, start + 1, text.Length);
            result.Add(text[start..end]);
        }

        return result;
    }
}
