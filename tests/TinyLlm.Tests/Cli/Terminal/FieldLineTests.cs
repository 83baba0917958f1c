using TinyLlm.Cli.Terminal;
using Xunit;

namespace TinyLlm.Tests.Cli.Terminal;

/// <summary>Figures that fit a width.</summary>
public class FieldLineTests
{
    [Theory]
    [InlineData(200,
        "step     80/800  loss 3.9512  validation loss 3.7430  1.383 bits/byte  lr 3.98e-3  57,800 tokens/s")]
    [InlineData(80, "step  80/800  loss 3.9512  val 3.7430  1.383 bits/byte  lr 3.98e-3")]
    [InlineData(60, "step  80/800  loss 3.9512  val 3.7430  1.383 bits/byte")]
    [InlineData(40, "step  80/800  loss 3.9512  val 3.7430")]
    [InlineData(10, "step  80/800  loss 3.9512  val 3.7430")] // the least that it says
    public void Fields_AreShortened_ThenLeftOut(int width, string expected) =>
        Assert.Equal(expected, Fit(new FieldLine(), width, "57,800"));

    [Fact]
    public void ShortenedLines_StaySo_UntilTheWidthChanges()
    {
        var line = new FieldLine();
        Assert.DoesNotContain("lr", Fit(line, 60, "1"), StringComparison.Ordinal);
        Assert.Equal(Fit(line, 60, "57,800"), Fit(line, 60, "1"));
        Assert.Contains("validation loss", Fit(line, 200, "1"), StringComparison.Ordinal);
    }

    private static string Fit(FieldLine line, int width, string speed) =>
        line.Fit(width, new Field("step     80/800", "step  80/800", 0), new Field("loss 3.9512"),
            new Field("validation loss 3.7430", "val 3.7430", 0), new Field("1.383 bits/byte", 1),
                new Field("lr 3.98e-3", 2), new Field($"{speed} tokens/s", 3));
}
