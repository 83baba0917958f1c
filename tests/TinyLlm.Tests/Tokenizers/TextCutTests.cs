using System.Text;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Tokenizers;

public sealed class TextCutTests
{
    [Theory]
    [MemberData(nameof(PreTokenizerTests.Names), MemberType = typeof(PreTokenizerTests))]
    public void Cuts_ChangeNoPreToken(string name)
    {
        string pattern = PreTokenizerTests.Patterns[name].Regex;
        int found = 0;
        for (int seed = 0; seed < 4000; seed++)
        {
            byte[] text = TextSamples.Random(new Random(seed), 60, withInvalid: seed % 2 == 0);
            foreach (int cut in (int[])[TextCut.Any.First(text), TextCut.Any.Last(text)])
            {
                Assert.InRange(cut, 0, Math.Max(0, text.Length - 1));
                if (cut == 0)
                    continue;
                found++;
                var parts = TextSamples.PreTokens(text[..cut], pattern)
                    .Concat(TextSamples.PreTokens(text[cut..], pattern));
                Assert.Equal(TextSamples.PreTokens(text, pattern), parts);
            }
        }

        Assert.True(found > 200, $"only {found} cuts");
    }

    [Theory]
    [InlineData("", 0, 0)]
    [InlineData("\n", 0, 0)]
    [InlineData("a\nb", 2, 2)]
    [InlineData("a\n b\n\n", 0, 0)]
    [InlineData("a\nb\n\tc\n", 2, 2)]
    [InlineData("a\n\nb", 0, 0)]
    [InlineData("\nb", 0, 0)]
    [InlineData(" b", 0, 0)]
    [InlineData("a b", 1, 1)]
    [InlineData("one two three", 3, 7)]
    [InlineData("a 1 b  c. d", 0, 0)]
    [InlineData(".\n/", 0, 0)]
    [InlineData("\u4F60\u3002\n\u597D", 7, 7)]
    [InlineData("\u4F60\u3000\n\u597D", 0, 0)]
    [InlineData("a\n\u2028b", 0, 0)]
    public void Cuts_AreBeforeAWordOrAfterALine(string text, int first, int last)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Assert.Equal((first, last), (TextCut.Any.First(bytes), TextCut.Any.Last(bytes)));
    }
}
