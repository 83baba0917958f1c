using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>Standard input that is closed, or a pipe that stays open without a word: nobody waits for ever.</summary>
public sealed class StandardInputTests(StandardInputTests.Fixture fixture) : IClassFixture<StandardInputTests.Fixture>
{
    private const int HangUp = 1, Interrupt = 2, Terminate = 15;

    private readonly SmallRun run = fixture.Run;

    [Theory]
    [InlineData("generate --model base --threads 1 --max-tokens 2 --temperature 0", 0)]
    [InlineData("generate --model base --threads 1 --chat", 2)]
    [InlineData("tokenizer encode --tokenizer base", 0)]
    [InlineData("tokenizer decode --tokenizer base", 0)]
    [InlineData("tokenizer show --tokenizer base", 0)]
    [InlineData("chat --model base --threads 1", 0)]
    public void AClosedInput_IsNone(string words, int code)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no sh.");
        var closed = run.CommandLine.RunInShell($"exec \"$TINYLLM\" {words} <&-");
        var empty = run.CommandLine.Run(words);
        Assert.Equal((code, code), (closed.ExitCode, empty.ExitCode));
        Assert.Equal((empty.Text, empty.Error), (closed.Text, closed.Error));
    }

    [Fact]
    public void ClosedOutputs_HarmNothing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no sh.");
        Assert.Equal(0,
            run.CommandLine.RunInShell(
                $"exec \"$TINYLLM\" {SmallRun.Pretrain} --steps 3 --out quiet <&- >&- 2>&-").ExitCode);
        run.Succeed("generate --model quiet --prompt a --max-tokens 2 --threads 1");
    }

    [Theory]
    [InlineData("generate --model base --threads 1", Interrupt)]
    [InlineData("generate --model base --threads 1", Terminate)]
    [InlineData("tokenizer encode --tokenizer base", Interrupt)]
    [InlineData("tokenizer encode --tokenizer base", Terminate)]
    [InlineData("tokenizer decode --tokenizer base", Terminate)]
    [InlineData("tokenizer show --tokenizer base", Terminate)]
    [InlineData("chat --model base --threads 1", Interrupt)]
    [InlineData("chat --model base --threads 1", Terminate)]
    [InlineData("chat --model base --threads 1", HangUp)]
    public void AnOpenPipe_CanBeInterrupted(string words, int signal)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux tells what signals a process handles.");
        Assert.SkipWhen(
            InterruptionTests.IsIgnored(signal)
            || InterruptionTests.IsIgnored(HangUp),
                "A signal is ignored by whoever started the tests, and so by the programs that they start.");
        using var command = run.CommandLine.Start(words);
        command.WaitForSignalHandlers();
        Thread.Sleep(200); // to where it waits for its input
        command.Signal(signal);
        var result = command.Finish();
        Assert.Equal(130, result.ExitCode);
        Assert.Equal("", result.Text);
    }

    [Fact]
    public void AChatThatHasBegun_IsEndedBySigterm()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        using var command = run.CommandLine.Start("chat --model base --threads 1 --max-tokens 1 --temperature 0");
        command.Send("cat\n");
        command.WaitForOutput(1);
        command.Signal(Terminate);
        Assert.Equal(130, command.Finish().ExitCode);
    }

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            Run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 1 "
                + "--sample-every 0 --out base");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
