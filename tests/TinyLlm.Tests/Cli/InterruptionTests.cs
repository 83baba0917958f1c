using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>Runs that end early: by a signal, by a kill at any moment, by weights that leave the numbers.</summary>
public class InterruptionTests
{
    private const int Interrupt = 2, Kill = 9, Terminate = 15;

    [Theory]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public void ASignal_EndsTheRunWithACheckpoint_FromWhichItGoesOnToTheSameBits(int signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        Assert.SkipWhen(signal == Interrupt && IsInterruptIgnored(), "SIGINT is ignored by whoever started the tests, and so by the programs that they start.");
        using var run = new SmallRun();
        const string Long = $"{SmallRun.Pretrain} --steps 3000";
        run.Succeed($"{Long} --out whole");

        using var command = run.CommandLine.Start($"{Long} --out run");
        command.WaitForLine("step     75/3000");
        command.Signal(signal);
        var interrupted = command.Finish();

        Assert.Equal(130, interrupted.ExitCode);
        Assert.Equal("", interrupted.Text);
        Assert.StartsWith("Interrupted after step ", interrupted.ErrorLines[^1], StringComparison.Ordinal);
        int step = int.Parse(Path.GetFileName(run.Checkpoint("run"))!["step-".Length..], System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(step, 75, 2999);
        Assert.Contains($"after step {step};", interrupted.ErrorLines[^1], StringComparison.Ordinal);

        run.Succeed("pretrain --out run --resume");
        FolderContent.SameCheckpoint(run.Checkpoint("whole")!, run.Checkpoint("run")!);
        Assert.Equal(run.Metrics("whole"), run.Metrics("run"));
    }

    [Fact]
    public void Kills_AtRandomMoments_LeaveARunThatGoesOnToTheSameBits()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no SIGKILL.");
        int seed = Environment.TickCount;
        var random = new Random(seed);
        using var run = new SmallRun();
        string common = $"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --sample-every 0 --steps 400 --eval-every 5 --eval-batches 1";
        run.Succeed($"{common} --checkpoint-every 0 --out whole");

        int last = -1;
        for (int round = 0; round < 9; round++)
        {
            string about = $"round {round}, random seed {seed}";
            using var command = run.CommandLine.Start(round == 0 ? $"{common} --checkpoint-every 1 --out run" : "pretrain --out run --resume");
            if (round == 0)
                command.WaitFor(() => run.Checkpoint("run") is not null, "a checkpoint");
            else
                command.WaitForLine("Resuming at step ");
            Thread.Sleep(random.Next(400));
            command.Signal(Kill);
            Assert.Equal(128 + Kill, command.Finish().ExitCode);

            last = CheckWhole(run, last, about);
        }

        run.Succeed("pretrain --out run --resume --checkpoint-every 100");
        FolderContent.SameCheckpoint(run.Checkpoint("whole")!, run.Checkpoint("run")!);
        FolderContent.SameFile(run["whole/model.safetensors"], run["run/model.safetensors"]);
        FolderContent.SameFile(run["whole/best/model.safetensors"], run["run/best/model.safetensors"]);
        Assert.Equal(run.Metrics("whole"), run.Metrics("run"));
        Assert.DoesNotContain(FolderContent.Of(run["run"]), line => line.Contains(".tinyllm-", StringComparison.Ordinal));
        Assert.Single(Directory.GetDirectories(run["run/checkpoints"]));
    }

    [Theory]
    [InlineData("--lr 1e30 --warmup 0")]
    [InlineData("--lr 1e3 --warmup 0 --clip 0")]
    public void ARunThatDiverges_StopsAtItsStep_AndKeepsTheLastGoodCheckpoint(string settings)
    {
        using var run = new SmallRun();
        string common = $"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --sample-every 0 --eval-every 0 --steps 60 --schedule constant";

        // Nothing good to keep: not even a checkpoint after step 1 may be there if its weights give no numbers.
        var result = run.CommandLine.Run($"{common} {settings} --checkpoint-every 1 --out run");
        Assert.Equal(2, result.ExitCode);
        Assert.Equal("", result.Text);
        string line = Assert.Single(result.ErrorLines, l => l.StartsWith("tinyllm: ", StringComparison.Ordinal));
        Assert.Matches(@"^tinyllm: (Step|After step) \d+: .*NaN.*The run has stopped", line);
        Assert.Equal(line, result.ErrorLines[^1]);
        if (run.Checkpoint("run") is { } checkpoint)
        {
            var before = FolderContent.Of(checkpoint);
            CheckWeights(checkpoint);
            CheckWeights(run["run"]);

            // What comes after it fails again, and it stays.
            Assert.Equal(2, run.CommandLine.Run("pretrain --out run --resume").ExitCode);
            Assert.Equal(before, FolderContent.Of(checkpoint));
        }
    }

    [Fact]
    public void ALossThatLeavesTheNumbersLater_LeavesTheCheckpointBefore()
    {
        using var run = new SmallRun();
        string common = $"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --sample-every 0 --steps 40 --schedule constant --clip 0 --lr 1e3";

        // The warm-up's first step is gentle enough for a checkpoint; later ones are not.
        var result = run.CommandLine.Run($"{common} --warmup 30 --eval-every 0 --checkpoint-every 1 --out run");

        Assert.Equal(2, result.ExitCode);
        Assert.NotNull(run.Checkpoint("run"));
        CheckWeights(run.Checkpoint("run")!);
        run.Succeed($"generate --model {run.Checkpoint("run")} --prompt a --max-tokens 4");

        // An evaluation stops it too, before it counts as the best.
        result = run.CommandLine.Run($"{common} --warmup 0 --eval-every 1 --checkpoint-every 0 --out evaluated");
        Assert.Equal(2, result.ExitCode);
        Assert.Single(result.ErrorLines, l => l.StartsWith("tinyllm: ", StringComparison.Ordinal));
    }

    // What a kill left: a checkpoint that loads, in which no step is lost, a model folder that loads, a log that can be read.
    private static int CheckWhole(SmallRun run, int last, string about)
    {
        string checkpoint = run.Checkpoint("run")!;
        int step = TrainerFile.Load(checkpoint).State.Step;
        Assert.True(step >= last, $"{about}: the checkpoint went back from step {last} to {step}.");
        CheckWeights(checkpoint);

        // The first checkpoint is there before the model folder is.
        if (last > 0)
            CheckWeights(run["run"]);
        Assert.True(RunLog.Read(run["run/metrics.jsonl"]).Count > 0, $"{about}: the log is empty.");
        return step;
    }

    private static void CheckWeights(string folder)
    {
        using var backend = Backend.Create("cpu", 1);
        var (model, _) = ModelFolder.Load(folder, backend);
        using (model)
            Assert.All(model.Parameters.All, p => Assert.DoesNotContain(ModelRun.Read(p.Value), v => !float.IsFinite(v)));
    }

    // Signals that a parent ignores are ignored by its children: a shell ignores SIGINT in what it runs in the background.
    private static bool IsInterruptIgnored() => File.Exists("/proc/self/status")
        && File.ReadLines("/proc/self/status").First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)) is { } line
        && (Convert.ToUInt64(line["SigIgn:".Length..].Trim(), 16) >> (Interrupt - 1) & 1) == 1;
}
