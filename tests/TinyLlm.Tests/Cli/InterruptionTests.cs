using System.Globalization;
using System.Text.RegularExpressions;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>Runs that end early: by a signal, by a kill at any moment, by weights that leave the numbers.</summary>
[Trait("Speed", "Slow")]
public sealed partial class InterruptionTests(InterruptionTests.Fixture fixture)
    : IClassFixture<InterruptionTests.Fixture>
{
    private const int HangUp = 1, Interrupt = 2, Kill = 9, Terminate = 15;
    private const string Long = $"{SmallRun.Pretrain} --steps 3000";

    [Theory]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    [InlineData(HangUp)]
    public void ASignal_EndsTheRunWithACheckpoint_FromWhichItGoesOnToTheSameBits(int signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        Assert.SkipWhen(IsIgnored(signal), "The signal is ignored by whoever started the tests, and so by the "
            + "programs that they start.");
        var run = fixture.Run;
        string name = $"run-{signal}";

        using var command = run.CommandLine.Start($"{Long} --out {name}");
        command.WaitForLine("step     75/3000");
        command.Signal(signal);
        var interrupted = command.Finish();

        Assert.Equal(130, interrupted.ExitCode);
        Assert.Equal("", interrupted.Text);
        Assert.StartsWith("Interrupted after step ", interrupted.ErrorLines[^1], StringComparison.Ordinal);
        int step = TrainerFile.Load(run.Checkpoint(name)!).State.Step;
        Assert.InRange(step, 75, 2999);
        Assert.Contains($"after step {step};", interrupted.ErrorLines[^1], StringComparison.Ordinal);

        run.Succeed($"pretrain --out {name} --resume");
        FolderContent.SameCheckpoint(run.Checkpoint("whole")!, run.Checkpoint(name)!);
        Assert.Equal(run.Metrics("whole"), run.Metrics(name));
    }

    [Fact]
    public void UnderNohup_TheEndOfTheTerminal_IsNoSignal()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        using var run = new SmallRun();
        using var command = run.CommandLine.StartInShell(
            $"trap '' HUP; exec \"$TINYLLM\" {SmallRun.Pretrain} --steps 400 --out run");
        command.WaitForLine("step     20/400");
        command.Signal(HangUp);
        var result = command.Finish();
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.StartsWith("Done: 400 steps", result.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Kills_AtRandomMoments_LeaveARunThatGoesOnToTheSameBits()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGKILL.");
        int seed = Environment.TickCount;
        var random = new Random(seed);
        using var run = new SmallRun();
        string common = $"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --sample-every 0 "
            + "--steps 1200 --eval-every 30 --eval-batches 1";
        run.Succeed($"{common} --checkpoint-every 0 --out whole");

        int last = -1;
        for (int round = 0; round < 9; round++)
        {
            string about = $"round {round}, random seed {seed}";
            using var command = run.CommandLine.Start(
                round == 0 ? $"{common} --checkpoint-every 1 --out run" : "pretrain --out run --resume");
            if (round == 0)
                command.WaitFor(() => run.Checkpoint("run") is not null, "a checkpoint");
            else
                command.WaitForLine("Resuming at step ");
            Thread.Sleep(random.Next(400));
            command.Signal(Kill);
            Assert.Equal(128 + Kill, command.Finish().ExitCode);

            last = CheckWhole(run, last, about);
        }

        run.Succeed("pretrain --out run --resume --checkpoint-every 0");
        FolderContent.SameCheckpoint(run.Checkpoint("whole")!, run.Checkpoint("run")!);
        FolderContent.SameFile(run["whole/model.safetensors"], run["run/model.safetensors"]);
        FolderContent.SameFile(run["whole/best/model.safetensors"], run["run/best/model.safetensors"]);
        Assert.Equal(run.Metrics("whole"), run.Metrics("run"));
        Assert.DoesNotContain(
            FolderContent.Of(run["run"]), line => line.Contains(".tinyllm-", StringComparison.Ordinal));
        Assert.Single(Directory.GetDirectories(run["run/checkpoints"]));
    }

    [Theory]
    [InlineData("--lr 1e30 --warmup 0")]
    [InlineData("--lr 1e3 --warmup 0 --clip 0")]
    public void ARunThatDiverges_StopsAtItsStep_AndKeepsTheLastGoodCheckpoint(string settings)
    {
        using var run = new SmallRun();
        string common = $"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --sample-every 0 "
            + "--eval-every 0 --steps 60 --schedule constant";

        var result = run.CommandLine.Run($"{common} {settings} --checkpoint-every 1 --out run");

        Assert.Equal(2, result.ExitCode);
        Assert.Equal("", result.Text);
        string line = Assert.Single(result.ErrorLines, l => l.StartsWith("tinyllm: ", StringComparison.Ordinal));
        Assert.Equal(line, result.ErrorLines[^1]);
        var match = BrokenStep().Match(line);
        Assert.True(match.Success, line);
        int broken = int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);

        // The step whose update broke the weights has no checkpoint; the one before it, if there was one, does, and is
        // good.
        if (broken == 1)
        {
            Assert.Null(run.Checkpoint("run"));
            return;
        }

        string checkpoint = run.Checkpoint("run")!;
        Assert.Equal(broken - 1, TrainerFile.Load(checkpoint).State.Step);
        var before = FolderContent.Of(checkpoint);
        CheckWeights(checkpoint);
        CheckWeights(run["run"]);
        var again = run.CommandLine.Run("pretrain --out run --resume");
        Assert.Equal(2, again.ExitCode);
        Assert.Equal(line, again.ErrorLines[^1]);
        Assert.Equal(before, FolderContent.Of(checkpoint));
    }

    [Fact]
    public void ALossThatLeavesTheNumbersLater_LeavesTheCheckpointBefore()
    {
        using var run = new SmallRun();
        string common = $"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --sample-every 0 "
            + "--steps 40 --schedule constant --clip 0 --lr 1e3";

        // The warm-up's first step is gentle enough for a checkpoint; later ones are not.
        var result = run.CommandLine.Run($"{common} --warmup 30 --eval-every 0 --checkpoint-every 1 --out run");

        Assert.Equal(2, result.ExitCode);
        Assert.NotNull(run.Checkpoint("run"));
        CheckWeights(run.Checkpoint("run")!);
        run.Succeed($"generate --model {run.Checkpoint("run")} --prompt a --max-tokens 4 --threads 1");

        // An evaluation stops it too, before it counts as the best.
        result = run.CommandLine.Run($"{common} --warmup 0 --eval-every 1 --checkpoint-every 0 --out evaluated");
        Assert.Equal(2, result.ExitCode);
        Assert.Single(result.ErrorLines, l => l.StartsWith("tinyllm: ", StringComparison.Ordinal));
    }

    // What a kill left: a checkpoint that loads, in which no step is lost, a model folder that loads, a log that can be
    // read.
    private static int CheckWhole(SmallRun run, int last, string about)
    {
        string checkpoint = run.Checkpoint("run")!;
        int step = TrainerFile.Load(checkpoint).State.Step;
        Assert.True(step >= last, $"{about}: the checkpoint went back from step {last} to {step}.");
        CheckWeights(checkpoint);

        // The first checkpoint is there before the model folder is, whose weights come last.
        if (File.Exists(run["run/model.safetensors"]))
            CheckWeights(run["run"]);
        Assert.True(RunLog.Read(run["run/metrics.jsonl"]).Count > 0, $"{about}: the log is empty.");
        return step;
    }

    private static void CheckWeights(string folder)
    {
        using var backend = Backend.Create("cpu", 1);
        var (model, _) = ModelFolder.Load(folder, backend);
        using (model)
            Assert.All(model.Parameters.All,
                p => Assert.DoesNotContain(ModelRun.Read(p.Value), v => !float.IsFinite(v)));
    }

    // Signals that a parent ignores are ignored by its children: a shell ignores SIGINT in what it runs in the
    // background.
    internal static bool IsIgnored(int signal) => File.Exists("/proc/self/status")
        && File.ReadLines("/proc/self/status")
        .First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)) is { } line
        && (Convert.ToUInt64(line["SigIgn:".Length..].Trim(), 16) >> (signal - 1) & 1) == 1;

    [GeneratedRegex(@"^tinyllm: After step (\d+): the loss is \S+ and the gradient's norm \S+; .*The run has stopped")]
    private static partial Regex BrokenStep();

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            Run.Succeed($"{Long} --out whole");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
