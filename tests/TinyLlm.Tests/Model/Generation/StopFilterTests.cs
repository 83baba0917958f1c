using System.Text;
using TinyLlm.Model;
using Xunit;

namespace TinyLlm.Tests.Model;

public class StopFilterTests
{
    [Theory]
    [InlineData("one two three", "two", "one ")]
    [InlineData("aab", "ab", "a")]
    [InlineData("ababac", "abac", "ab")]
    [InlineData("no stop here", "xyz", "no stop here")]
    [InlineData("half a sto", "stop", "half a sto")]
    [InlineData("größe", "öß", "gr")]
    public void Push_EndsBeforeTheStop_HoweverTheTextIsCut(string text, string stop, string expected)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        for (int piece = 1; piece <= bytes.Length; piece++)
        {
            var filter = new StopFilter([stop]);
            var shown = new List<byte>();
            foreach (byte[] part in bytes.Chunk(piece))
                shown.AddRange(filter.Push(part));
            if (!filter.Stopped)
                shown.AddRange(filter.Flush());
            Assert.Equal(expected, Encoding.UTF8.GetString([.. shown]));
            Assert.Equal(text.Contains(stop, StringComparison.Ordinal), filter.Stopped);
        }
    }

    [Fact]
    public void Push_HoldsBackOnlyWhatMayBeAStop()
    {
        var filter = new StopFilter(["END", "\n\n"]);
        Assert.Equal("ab", Encoding.UTF8.GetString(filter.Push("abE"u8)));
        Assert.Equal("Ex", Encoding.UTF8.GetString(filter.Push("x"u8)));
        Assert.Equal("", Encoding.UTF8.GetString(filter.Push("\n"u8)));
        Assert.Equal("", Encoding.UTF8.GetString(filter.Push("\nrest"u8)));
        Assert.True(filter.Stopped);
    }
}
