using System.Globalization;
using System.Text.RegularExpressions;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// --recompute and --micro-batch in the program: what it shows, what a resume keeps and may change, and runs in little
/// memory.
/// </summary>
[Trait("Speed", "Slow")]
public partial class MemoryTests
{
    // 256 MiB for the whole process: the runtime takes the limit as it takes a container's.
    private const string LittleMemory = "DOTNET_GCHeapHardLimit=0x10000000 \"$TINYLLM\" ";

    // About 0.7 MiB of activations a row.
    private const string LongRows = $"pretrain --data text.txt {SmallRun.Sizes} --context 256 --sample-every 0 "
        + "--eval-batches 1 --steps 2";

    [Fact]
    public void MicroBatchAndRecomputation_AreShown_AndChangeNoResult()
    {
        using var run = new SmallRun();
        string sizes = SmallRun.Sizes.Replace("--layers 1 ", "--layers 3 ", StringComparison.Ordinal);
        string common = $"pretrain --data text.txt {sizes} --context 16 --batch-size 4 --accumulate 2 --dropout 0.1 "
            + "--steps 6 --eval-every 2 --eval-batches 2 --sample-every 0";

        string whole = Memory(run.Succeed($"{common} --out whole"));
        string recomputed = Memory(run.Succeed($"{common} --recompute --out recomputed"));
        string parts = Memory(run.Succeed($"{common} --micro-batch 2 --out parts"));

        Assert.EndsWith(" MiB) and activations", whole, StringComparison.Ordinal);
        Assert.EndsWith(" MiB) and activations; activations are computed twice", recomputed, StringComparison.Ordinal);
        Assert.EndsWith(" MiB) and activations; 2 of 4 rows at a time", parts, StringComparison.Ordinal);
        FolderContent.SameCheckpoint(run.Checkpoint("whole")!, run.Checkpoint("recomputed")!);
        Assert.Equal(run.Metrics("whole"), run.Metrics("recomputed"));
        foreach (var (expected, actual) in RunLog.Read(run["whole/metrics.jsonl"])
            .Zip(RunLog.Read(run["parts/metrics.jsonl"])))
        {
            Assert.Equal((expected.Step, expected.Tokens), (actual.Step, actual.Tokens));
            Assert.Equal(expected.TrainLoss, actual.TrainLoss, 1e-4);
            Assert.Equal(expected.ValLoss ?? 0, actual.ValLoss ?? 0, 1e-4);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("--recompute")]
    public void AResume_KeepsTheMicroBatch_AndMayChangeBoth(string recompute)
    {
        using var run = new SmallRun();
        string common = $"{SmallRun.Pretrain} --dropout 0.1 --steps 6 --micro-batch 1";

        run.Succeed($"{common} --out whole");
        run.Succeed($"{common} --out halves --stop-after 3");
        string memory = Memory(run.Succeed($"pretrain --out halves --resume {recompute}"));

        Assert.Contains("1 of 2 rows at a time", memory, StringComparison.Ordinal);
        Assert.Equal(recompute.Length > 0, memory.Contains("computed twice", StringComparison.Ordinal));
        FolderContent.SameCheckpoint(run.Checkpoint("whole")!, run.Checkpoint("halves")!);
        Assert.Equal("1", Saved(run, "halves", "--micro-batch"));
        Assert.Equal(recompute.Length > 0 ? "True" : "False", Saved(run, "halves", "--recompute"));

        memory = Memory(run.Succeed("pretrain --out halves --resume --steps 8 --micro-batch 2 --recompute false"));
        Assert.EndsWith("activations", memory, StringComparison.Ordinal);
        Assert.Equal("2", Saved(run, "halves", "--micro-batch"));
        run.Refuse("pretrain --out halves --resume --steps 9 --micro-batch 4",
            "--micro-batch 4 does not divide --batch-size 2");
    }

    [Fact]
    public void InLittleMemory_TheMicroBatchIsChosen_AndAResumeChoosesAnew()
    {
        using var run = new SmallRun();
        run.Succeed($"{LongRows} --batch-size 512 --stop-after 1 --out run");
        Assert.Equal("512", Saved(run, "run", "--micro-batch"));

        var resumed = run.CommandLine.RunInShell($"{LittleMemory} pretrain --out run --resume");

        Assert.True(resumed.ExitCode == 0, resumed.Error);
        string line = Assert.Single(resumed.ErrorLines, l => l.Contains("--micro-batch", StringComparison.Ordinal));
        Assert.StartsWith(
            "--micro-batch 512, which the run had, does not fit into memory any more: it goes on with ", line,
            StringComparison.Ordinal);
        int chosen = int.Parse(Saved(run, "run", "--micro-batch"), CultureInfo.InvariantCulture);
        Assert.InRange(chosen, 1, 256);
        Assert.Contains($"goes on with {chosen},", line, StringComparison.Ordinal);
        Assert.Contains($"{chosen} of 512 rows at a time", Memory(resumed), StringComparison.Ordinal);
    }

    [Fact]
    public void ARunThatDoesNotFit_IsOneLine_AndNothingIsWritten()
    {
        using var run = new SmallRun();
        var before = FolderContent.Of(run.Folder.Path);

        var named = run.CommandLine.RunInShell(
            $"{LittleMemory} {LongRows} --batch-size 512 --micro-batch 512 --out new");
        var large = run.CommandLine.RunInShell(
            $"{LittleMemory} {LongRows} --layers 80 --width 512 --batch-size 2 --out new"
            .Replace("--layers 1 --width 32 ", "", StringComparison.Ordinal));
        var rows = run.CommandLine.RunInShell($"{LittleMemory} {LongRows} --batch-size 2000000000 --out new");

        SmallRun.CheckRefused(
            named, 2, "The run needs ", "with --micro-batch 512", "MiB are free",
            "smaller --micro-batch, --context, --width or --layers shrinks it.");
        SmallRun.CheckRefused(large, 2, "The model's weights: ", "MiB are free", "--layers, --width or --vocab-size");
        SmallRun.CheckRefused(
            rows, 2, "The run needs ", "with --micro-batch 1", "MiB are free",
            "smaller --batch-size, --accumulate, --context");
        Assert.Equal(before, FolderContent.Of(run.Folder.Path));
    }

    private static string Memory(CommandResult result) =>
        Assert.Single(result.ErrorLines, line => MemoryHeading().IsMatch(line));

    private static string Saved(SmallRun run, string folder, string option) =>
        TrainerFile.Load(run.Checkpoint(folder)!).Options[option];

    [GeneratedRegex(@"^  memory +\d+ MiB")]
    private static partial Regex MemoryHeading();
}
