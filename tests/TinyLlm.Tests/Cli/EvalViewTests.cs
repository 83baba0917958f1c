using TinyLlm.Cli;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>The table of eval --compare, on terminals of several widths.</summary>
public class EvalViewTests
{
    [Theory]
    [InlineData(int.MaxValue, 1)]
    [InlineData(80, 2)]
    [InlineData(48, 4)]
    public void ATable_FitsTheWidth_InParts(int width, int parts)
    {
        bool?[] rows = [true, false, true, true];
        string[] models = ["runs/a", "runs/b"];
        var result = new EvalResult(
            new Evaluation(2.5, 1.25, 100), [new ExampleScore(25, 10, 20), new ExampleScore(24, 10, 20)], rows, null);
        string[] lines = [.. EvalView.Table(models, [result, result], width)];
        Assert.All(lines, line => Assert.True(line.Length <= width, line));
        Assert.Equal(parts * 3, lines.Length);
        for (int part = 0; part < parts; part++)
            Assert.Equal(["model", "runs/a", "runs/b"], lines[(3 * part)..(3 * part + 3)]
                .Select(line => line.Split(' ')[0]));

        // All columns, in their order, and a difference beside what it is a difference of.
        string header = string.Join(' ', lines.Where((_, i) => i % 3 == 0).Select(line => line["model".Length..]));
        Assert.Equal(["loss", "perplexity", "bits/byte", "exact match", "difference"],
            header.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        Assert.Contains(
            lines, line => line.Contains("exact match", StringComparison.Ordinal)
            && line.Contains("difference", StringComparison.Ordinal));
    }
}
