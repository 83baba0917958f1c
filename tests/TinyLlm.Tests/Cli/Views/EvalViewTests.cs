using TinyLlm.Cli;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// What eval shows: the table of --compare on terminals of several widths, and texts with unknown words.
/// </summary>
public class EvalViewTests
{
    private static readonly EvalResult plain = Result(new Evaluation(2, 1.5, 1000));
    private static readonly EvalResult unknown = Result(new Evaluation(2, double.NaN, 1000) { Unknown = 12 });

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
        {
            Assert.Equal(["model", "runs/a", "runs/b"], lines[(3 * part)..(3 * part + 3)]
                .Select(line => line.Split(' ')[0]));
        }

        // All columns, in their order, and a difference beside what it is a difference of.
        string header = string.Join(' ', lines.Where((_, i) => i % 3 == 0).Select(line => line["model".Length..]));
        Assert.Equal(["loss", "perplexity", "bits/byte", "exact match", "difference"],
            header.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        Assert.Contains(
            lines, line => line.Contains("exact match", StringComparison.Ordinal)
            && line.Contains("difference", StringComparison.Ordinal));
    }

    [Fact]
    public void ALine_SaysWhyThereAreNoBits()
    {
        Assert.Equal(["1,000 tokens  loss 2.0000  perplexity 7.389  1.5000 bits/byte"], EvalView.Lines(plain));
        string why = "12 of the tokens are <|unknown|>, whose bytes are not known";
        Assert.Equal([$"1,000 tokens  loss 2.0000  perplexity 7.389  - bits/byte ({why})"], EvalView.Lines(unknown));
    }

    [Fact]
    public void ATable_SaysSoBelow()
    {
        string[] lines = [.. EvalView.Table(["a", "b"], [plain, unknown])];
        Assert.Equal(4, lines.Length);
        Assert.Contains("1.5000", lines[1], StringComparison.Ordinal);
        Assert.EndsWith(" -", lines[2], StringComparison.Ordinal);
        Assert.Equal("b: no bits/byte: 12 of the tokens are <|unknown|>, whose bytes are not known", lines[3]);
        Assert.Equal(3, EvalView.Table(["a", "b"], [plain, plain]).Count());
    }

    private static EvalResult Result(Evaluation evaluation) =>
        new(evaluation, [new ExampleScore(2000, 1000, 1900)], null, null);
}
