using TinyLlm.Cli.Terminal;
using Xunit;

namespace TinyLlm.Tests.Cli.Terminal;

/// <summary>Lines that fit.</summary>
public class TextWrapTests
{
    [Fact]
    public void Lines_BreakBetweenWords_AndHang()
    {
        Assert.Equal(["  model    a bb ccc", "           dddd", "           eeeeeeeeeeeeeeee", "           f"],
            TextWrap.Lines("  model    a bb ccc dddd eeeeeeeeeeeeeeee f", 20, 11));
        Assert.Equal(["a  b"], TextWrap.Lines("a  b", 4));
        Assert.Equal([""], TextWrap.Lines("", 10));
        // two cells each
        Assert.Equal(["\u4F60\u597D", "\u4E16\u754C"], TextWrap.Lines("\u4F60\u597D \u4E16\u754C", 5));
    }

    [Theory]
    [InlineData(20)]
    [InlineData(33)]
    [InlineData(80)]
    public void Lines_FitAndLoseNothing(int width)
    {
        string text = string.Join(
            ' ', Enumerable.Range(0, 200).Select(i => new string((char)('a' + i % 26), 1 + i * 7 % 9)));
        string[] lines = [.. TextWrap.Lines(text, width, 4)];
        Assert.All(lines, line => Assert.InRange(line.Length, 1, width));
        Assert.Equal(text, string.Join(' ', lines.Select(line => line.TrimStart())));
    }

    [Fact]
    public void LongWords_AreBroken_WhereTheyMay()
    {
        Assert.Equal(["  ab", "  cdefgh", "  ij kl"], TextWrap.Lines("  ab cdefghij kl", 8, 2, breakWords: true));
        Assert.Equal(["  ab", "  cdefghij", "  kl"], TextWrap.Lines("  ab cdefghij kl", 8, 2));
    }

    [Fact]
    public void Cut_CountsCells()
    {
        Assert.Equal("ab", TextWrap.Cut("abc", 2));
        Assert.Equal("a\u4F60", TextWrap.Cut("a\u4F60\u597D", 4));
        Assert.Equal("abc", TextWrap.Cut("abc", 3));
    }
}
