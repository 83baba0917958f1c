using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>What data comes from besides files, and what of it is learned, as a user sees it.</summary>
public sealed class DataInputTests(DataInputTests.Fixture fixture) : IClassFixture<DataInputTests.Fixture>
{
    private const int Terminate = 15;

    private readonly SmallRun run = fixture.Run;

    [Fact]
    public void Pipes_AreData_AndLeaveNothing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no /dev/stdin.");
        var piped = run.CommandLine.RunInShell("mkdir t && cat rows.jsonl | TMPDIR=$PWD/t \"$TINYLLM\" data stats "
            + "--text-field answer --data /dev/stdin && ls t");
        Assert.Equal(0, piped.ExitCode);
        Assert.StartsWith("documents   40\n", piped.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("tinyllm-", piped.Text, StringComparison.Ordinal);

        var redirected = run.CommandLine.RunInShell("cat rows.jsonl | \"$TINYLLM\" finetune --model base --show-mask 1 "
            + "--data /dev/fd/7 7<&0");
        Assert.Equal("", redirected.Error);
        Assert.StartsWith("example 1 of 36: ", redirected.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void AClosedStandardInput_IsRefused_AndSoIsADescriptorThatNobodyOpened()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no /dev/stdin.");
        SmallRun.CheckRefused(run.CommandLine.RunInShell("\"$TINYLLM\" data stats --data /dev/stdin <&-"), 2,
            "/dev/stdin: standard input is closed");
        SmallRun.CheckRefused(run.CommandLine.RunInShell("\"$TINYLLM\" eval --model base --data /dev/fd/12"), 2,
            "/dev/fd/12: descriptor 12 is closed");
    }

    [Fact]
    public void APipe_ThatStaysOpen_CanBeInterrupted()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        using var command = run.CommandLine.Start("tokenizer train --tokenizer char --out never --data /dev/stdin");
        Thread.Sleep(1500); // until it waits for its input, of which nothing tells
        command.Signal(Terminate);
        var result = command.Finish();
        Assert.Equal(130, result.ExitCode);
        Assert.Equal("tinyllm: interrupted.", Assert.Single(result.ErrorLines));
    }

    [Fact]
    public void TheMask_ShowsWhatIsLearned()
    {
        string shown = run.Succeed("finetune --model base --show-mask 5 --data weight0.jsonl").Text;
        Assert.Contains("example 1 of 1: 4 of 47 tokens are learned", shown, StringComparison.Ordinal);
        Assert.Contains("assistant\nno<|im_end|>\n", shown, StringComparison.Ordinal);
        Assert.Contains("assistant\n⟦yes<|im_end|>⟧", shown, StringComparison.Ordinal);
        SmallRun.CheckRefused(run.CommandLine.Run("finetune --model base --show-mask 5 --data toolcalls-empty.jsonl"),
            2, "toolcalls-empty.jsonl, line 1: \"tool_calls\" of message 2");
        SmallRun.CheckRefused(run.CommandLine.Run("finetune --model base --show-mask 5 --method dpo --data "
            + "dpo-nullcontent.jsonl"), 2, "dpo-nullcontent.jsonl, line 2: \"content\" of message 1 in \"chosen\" is "
            + "null");
    }

    [Fact]
    public void WhatIsLeftOut_IsSaidBeforeTraining()
    {
        string error = run.Succeed("finetune --model base --data marked.json --steps 1 --batch-size 2 --eval-every 0 "
            + "--sample-every 0 --out marked --threads 1").Error;
        Assert.Contains("2 rows that are marked as not to be learned", error, StringComparison.Ordinal);
        Assert.Contains("fields: family (12 rows)", error, StringComparison.Ordinal);
        error = run.Succeed("eval --model base --data marked.json").Error;
        Assert.Contains("marked.json: 2 rows that are marked as not to be learned are left out\n", error,
            StringComparison.Ordinal);
        Assert.Contains("marked.json: fields not read: family (12 rows)\n", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pretrain --data text.txt --val-data missing.txt --layers 1 --width 32 --heads 2",
        "--val-data missing.txt: there is no such file")]
    [InlineData("finetune --model base --data rows.jsonl --val-data builtin:stories",
        "--val-data builtin:stories: expected builtin:questions")]
    public void Validation_IsNamedByItsOption(string words, string part) =>
        run.Refuse($"{words} --steps 1 --out new", part);

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            Run.Folder.Write("toolcalls-empty.jsonl", """{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}]}""" + "\n");
            Run.Folder.Write("weight0.jsonl", """{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"no","weight":0},{"role":"user","content":"b"},{"role":"assistant","content":"yes","weight":1}]}""" + "\n");
            Run.Folder.Write("dpo-nullcontent.jsonl", """
                {"prompt":"a","chosen":"yes","rejected":"no"}
                {"prompt":[{"role":"user","content":"weather?"}],"chosen":[{"role":"assistant","content":null,"tool_calls":[]}],"rejected":[{"role":"assistant","content":"sunny"}]}
                """);
            Run.Folder.Write("marked.json", "[" + string.Join(",\n", Enumerable.Range(0, 12).Select(i => $$"""{"question":"q{{i}}","answer":"a{{i}}","family":"f","weight":{{(i < 2 ? 0 : 1)}}}""")) + "]\n");
            Run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 2 "
                + $"--sample-every 0 --out base");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
