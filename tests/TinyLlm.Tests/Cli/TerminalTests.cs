using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// What a person sees on a terminal: lines that fit it, also a narrow one; and a run that goes on when it is gone.
/// </summary>
public sealed class TerminalTests(TerminalTests.Fixture fixture) : IClassFixture<TerminalTests.Fixture>
{
    private const string Common =
        $"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --eval-every 20 --sample-every 30";

    private const string Steps = $"{Common} --steps 60";

    private readonly SmallRun run = fixture.Run;

    [Theory]
    [InlineData(120)]
    [InlineData(80)]
    [InlineData(60)]
    [InlineData(40)]
    public void ARun_FitsTheWidth_AndLeavesNoBar(int columns)
    {
        using var terminal = Show(columns, $"{Steps} --out run-{columns}", expected: 0);
        string[] lines = terminal.Lines;
        Assert.All(lines.Where(
            line => !line.StartsWith("  tinyllm", StringComparison.Ordinal) && !line.Contains("Done:")
            && !line.Contains("The model is in") && !line.Contains("--model")),
            line => Assert.True(line.Length <= columns, $"{line.Length} cells: {line}"));
        string[] evaluations = [.. lines.Where(line => line.StartsWith("step ", StringComparison.Ordinal))];
        Assert.Equal(3, evaluations.Length);
        Assert.All(evaluations, line =>
            Assert.Contains(columns == 120 ? "validation loss " : "  val ", line, StringComparison.Ordinal));
        Assert.All(evaluations, line => Assert.Matches(@"^step +\d+/60  loss \d\.\d{4}  ", line));
        if (columns >= 80)
            Assert.All(evaluations, line => Assert.Matches(@"  lr [\d.]+(e-\d)?", line));

        // The bar is on a line of its own, and the last thing that is done with it is to clear it.
        Assert.Contains(lines, line => line.Contains('━') && line.Contains("%  step ", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => line.Contains('━') && line.Contains("val", StringComparison.Ordinal));
        string rest = terminal.Shown[terminal.Shown.LastIndexOf('━')..];
        Assert.Contains("\r\u001b[K", rest, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "%", rest[rest.IndexOf("\r\u001b[K", StringComparison.Ordinal)..], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(19)]
    [InlineData(20)]
    public void ANarrowTerminal_IsNoReasonToFail(int columns)
    {
        using var terminal = Show(columns, $"{Steps} --out narrow-{columns}", expected: 0);
        if (columns < 20)
        {
            // plain, and left to the terminal to break
            Assert.Contains(terminal.Lines, line => line.StartsWith("step      1/60  loss ", StringComparison.Ordinal));
        }

        foreach (string command in new[] { "--help", "pretrain --help", "info --model base" })
            Show(columns, command, expected: 0).Dispose();
    }

    [Theory]
    [InlineData(1, 40)]
    [InlineData(40, 40)]
    [InlineData(80, 80)]
    public void Help_FitsTheWidth_OrFortyColumns(int columns, int width)
    {
        using var terminal = Show(columns, "generate --help", expected: 0);
        Assert.Contains("Model folder.", string.Join('\n', terminal.Lines), StringComparison.Ordinal);
        Assert.All(terminal.Lines, line => Assert.True(line.Length <= width, $"{line.Length} cells: {line}"));
    }

    [Fact]
    public void ATerminalThatGoesAway_TakesNoRunWithIt()
    {
        Skip();
        RunningCommand command;
        using (var terminal = new PseudoTerminal())
        {
            command = run.CommandLine.StartInShell(
                $"exec \"$TINYLLM\" {Common} --steps 2000 --out lost >{terminal.Name} 2>&1");
            command.WaitFor(() => terminal.Shown.Contains("step ", StringComparison.Ordinal), "a step");
        }

        // Writing fails from here on.
        using (command)
            Assert.Equal(0, command.Finish().ExitCode);
        Assert.Equal("step-00002000", Path.GetFileName(run.Checkpoint("lost")));
        run.Succeed("generate --model lost --prompt a --max-tokens 2 --threads 1");
    }

    private PseudoTerminal Show(int columns, string words, int expected)
    {
        Skip();
        var terminal = new PseudoTerminal();
        var result = run.CommandLine.RunInShell(
            $"exec 3<>{terminal.Name}; stty cols {columns} <&3; unset GITHUB_ACTIONS FORCE_COLOR NO_COLOR; "
            + $"TERM=xterm LANG=C.UTF-8 \"$TINYLLM\" {words} </dev/null >&3 2>&3");
        terminal.Finish();
        Assert.True(result.ExitCode == expected, $"exit code {result.ExitCode}: {terminal.Shown}{result.Error}");
        return terminal;
    }

    private static void Skip() => Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has such terminals.");

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            Run.Succeed($"{SmallRun.Pretrain} --steps 2 --out base");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
