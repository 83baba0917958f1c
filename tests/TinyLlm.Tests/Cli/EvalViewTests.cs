using TinyLlm.Cli;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>What eval shows of texts with unknown words.</summary>
public class EvalViewTests
{
    private static readonly EvalResult plain = Result(new Evaluation(2, 1.5, 1000));
    private static readonly EvalResult unknown = Result(new Evaluation(2, double.NaN, 1000) { Unknown = 12 });

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
