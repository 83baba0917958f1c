using TinyLlm.Kernels;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using TinyLlm.Training.Optimizers;
using Xunit;

namespace TinyLlm.Tests.Training;

public sealed class CheckpointTimingTestsOnCpu()
    : CheckpointTimingTests<Cpu256>(everyTwoMinutes: [2, 4, 6, 7], always: [1, 2, 3, 4, 5, 6, 7]);

/// <summary>A step that was started early is finished before a checkpoint.</summary>
public sealed class CheckpointTimingTestsOnAsynchronousCpu()
    : CheckpointTimingTests<AsynchronousCpu>(everyTwoMinutes: [3, 6, 7], always: [2, 4, 6, 7]);

/// <summary>The simulator takes many seconds for a step: two of them, and a checkpoint by time between.</summary>
public sealed class CheckpointTimingTestsOnSimulated
{
    [Theory]
    [InlineData("pretrain")]
    public void ARun_HasTheSameBits_WithACheckpointByTime(string stage)
    {
        using var backend = Simulated.Create();
        var settings = TimedRun.Settings(steps: 2) with { BatchSize = 2, MicroBatch = 2 };
        using var never = new TimedRun(backend, stage, settings);
        using var byTime = new TimedRun(backend, stage, settings with { CheckpointMinutes = 1 });

        Assert.Equal([TrainerResult.Finished, TrainerResult.Finished], [never.Train(), byTime.Train()]);

        Assert.Equal([1, 2], byTime.Checkpoints.Keys);
        Assert.Equal(never.Told, byTime.Told);
        Assert.NotEqual(never.Begun, never.Checkpoints[2]);
        Compare.SameBits(stage, never.Checkpoints[2], byTime.Checkpoints[2]);
    }
}

/// <summary>The CPU, given the next step before the one before is finished, as a GPU is.</summary>
public sealed class AsynchronousCpu : IDevice
{
    public static Backend Create()
    {
        var backend = CpuBackend.Create(1);
        backend.SeemsAsynchronous = true;
        return backend;
    }
}

/// <summary>When checkpoints are due, and that nothing of what a run computes depends on it.</summary>
/// <param name="everyTwoMinutes">Steps after which there is one where a step takes a minute, and a checkpoint, which
/// does not count, ten.</param>
/// <param name="always">The same where one is due at once.</param>
public abstract class CheckpointTimingTests<TDevice>(int[] everyTwoMinutes, int[] always) where TDevice : IDevice
{
    private const int Steps = 7;

    /// <summary>
    /// After every step, by time now and then, by time at each chance, and never: the same steps, weights and optimiser
    /// state.
    /// </summary>
    [Theory]
    [InlineData("pretrain", false)]
    [InlineData("pretrain", true)]
    [InlineData("sft", false)]
    [InlineData("dpo", false)]
    [InlineData("grpo", false)]
    public void ARun_HasTheSameBits_WheneverCheckpointsAreWritten(string stage, bool muon)
    {
        using var backend = TDevice.Create();
        var settings = TimedRun.Settings(Steps) with { Muon = muon ? new MuonSettings(0.025) : null };
        using var never = new TimedRun(backend, stage, settings);
        using var everyStep = new TimedRun(backend, stage, settings with { CheckpointEvery = 1 });
        using var timed = new TimedRun(backend, stage, settings with { CheckpointMinutes = 2 });
        using var unceasing = new TimedRun(backend, stage, settings with { CheckpointMinutes = 1e-9 });
        TimedRun[] all = [never, everyStep, timed, unceasing];

        Assert.All(all, run => Assert.Equal(TrainerResult.Finished, run.Train()));

        Assert.Equal([Steps], never.Checkpoints.Keys);
        Assert.Equal(Enumerable.Range(1, Steps), everyStep.Checkpoints.Keys);
        Assert.Equal(everyTwoMinutes, timed.Checkpoints.Keys);
        Assert.Equal(always, unceasing.Checkpoints.Keys);
        Assert.NotEqual(never.Begun, never.Checkpoints[Steps]);
        foreach (var run in all)
        {
            Assert.Equal(never.Told, run.Told);
            foreach (var (step, saved) in run.Checkpoints)
                Compare.SameBits($"{stage}, checkpoint after step {step}", everyStep.Checkpoints[step], saved);
        }
    }

    /// <summary>
    /// What a kill leaves is the checkpoint that was due by time: from there the run goes on to the same bits.
    /// </summary>
    [Theory]
    [InlineData("pretrain")]
    [InlineData("sft")]
    [InlineData("dpo")]
    [InlineData("grpo")]
    public void ARunThatGoesOnFromACheckpointByTime_EndsWithTheSameBits(string stage)
    {
        using var backend = TDevice.Create();
        using var whole = new TimedRun(backend, stage, TimedRun.Settings(Steps) with { CheckpointMinutes = 1e-9 });
        whole.Train();
        int step = whole.Checkpoints.Keys.First();
        Assert.InRange(step, 1, Steps - 1);

        using var resumed = new TimedRun(backend, stage, TimedRun.Settings(Steps));
        resumed.GoOnFrom(whole.Checkpoints[step], whole.States[step]);
        resumed.Train();

        Assert.Equal(whole.Told[step..], resumed.Told);
        Compare.SameBits($"{stage} from step {step}", whole.Checkpoints[Steps], resumed.Checkpoints[Steps]);
    }
}
