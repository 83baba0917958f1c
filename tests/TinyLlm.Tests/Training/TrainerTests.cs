using TinyLlm.Kernels;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using TinyLlm.Training.Data;
using Xunit;

namespace TinyLlm.Tests.Training;

/// <summary>The loop: exactness of threads, accumulation and resume; learning; memory; what it tells.</summary>
public class TrainerTests
{
    public static TheoryData<Architecture> Architectures => [Architecture.Gpt2, Architecture.Llama, Architecture.Qwen3];

    [Theory]
    [MemberData(nameof(Architectures))]
    public void ThreadCount_ChangesNoBit(Architecture architecture)
    {
        float[] Train(int threads)
        {
            using var backend = CpuBackend.Create(threads);
            using var session = new Session(backend, architecture, Settings(steps: 4), dropout: 0.1f);
            session.Run();
            return session.Weights();
        }

        var one = Train(1);
        Compare.SameBits("2 threads", one, Train(2));
        Compare.SameBits("5 threads", one, Train(5));
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(0.2f)]
    public void Accumulation_EqualsTheLargeBatch(float dropout)
    {
        using var backend = Backend.Create("cpu");
        using var large = new Session(backend, Architecture.Qwen3, Settings(steps: 3) with { BatchSize = 6 }, dropout);
        using var small = new Session(backend, Architecture.Qwen3, Settings(steps: 3) with { BatchSize = 2, Accumulate = 3 }, dropout);

        large.Run();
        small.Run();

        for (int i = 0; i < large.Losses.Count; i++)
            Assert.InRange(small.Losses[i], large.Losses[i] - 1e-5, large.Losses[i] + 1e-5);
        var (expected, actual) = (large.Weights(), small.Weights());
        for (int i = 0; i < expected.Length; i++)
            Assert.InRange(actual[i], expected[i] - 1e-5f, expected[i] + 1e-5f);
    }

    [Fact]
    public void OneBatch_IsLearnedByHeart()
    {
        using var backend = Backend.Create("cpu");
        var settings = Settings(steps: 150) with { BatchSize = 2, Schedule = new Schedule(ScheduleKind.Constant, 5e-3, 0, 0, 150) };

        // Two windows, both of them in every batch.
        using var session = new Session(backend, Architecture.Qwen3, settings, stream: Session.RandomStream(2 * 16 + 1));
        session.Run();

        Assert.InRange(session.Losses[0], 3.0, 5.0);
        Assert.InRange(session.Losses[^1], 0, 0.02);
    }

    [Fact]
    public void ALoop_AllocatesNothing()
    {
        using var backend = CpuBackend.Create(1);
        using var session = new Session(backend, Architecture.Qwen3, Settings(steps: 1000) with { Accumulate = 2 }, dropout: 0.1f);
        var state = new TrainerState();
        for (; state.Step < 20; state.Step++)
            session.Trainer.Step(state, 1e-3f);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (; state.Step < 40; state.Step++)
            session.Trainer.Step(state, 1e-3f);
        long perStep = (GC.GetAllocatedBytesForCurrentThread() - before) / 20;

        // The order of an epoch is made anew at its beginning; nothing else.
        Assert.InRange(perStep, 0, 256);
    }

    [Fact]
    public void StopAfter_PausesWithoutMovingTheSchedule()
    {
        using var backend = Backend.Create("cpu");
        using var whole = new Session(backend, Architecture.Llama, Settings(steps: 6));
        whole.Run();

        using var half = new Session(backend, Architecture.Llama, Settings(steps: 6) with { StopAfter = 3 });
        Assert.Equal(TrainerResult.Paused, half.Run());
        Assert.Equal(3, half.State.Step);
        Assert.Equal(whole.LearningRates[..3], half.LearningRates);
        Assert.Equal(TrainerResult.Finished, half.Run());

        Assert.Equal(whole.LearningRates, half.LearningRates);
        Compare.SameBits("weights", whole.Weights(), half.Weights());
    }

    [Fact]
    public void ALossThatIsNotFinite_StopsTheRunAndKeepsTheWeights()
    {
        using var backend = Backend.Create("cpu");
        using var session = new Session(backend, Architecture.Gpt2, Settings(steps: 10));
        var table = session.Model.Parameters.All[0];
        var values = ModelRun.Read(table.Value);
        values[3] = float.NaN;
        backend.Write(table.Value, values);
        var before = session.Weights();

        var error = Assert.Throws<TinyLlmException>(() => session.Run());

        Assert.Contains("Step 1: the loss is NaN", error.Message, StringComparison.Ordinal);
        Compare.SameBits("weights", before, session.Weights());
    }

    [Fact]
    public void ACancelledRun_StopsAfterItsStepAndAsksForACheckpoint()
    {
        using var backend = Backend.Create("cpu");
        using var session = new Session(backend, Architecture.Gpt2, Settings(steps: 100));
        using var stop = new CancellationTokenSource();
        session.OnStep = step =>
        {
            if (step == 3)
                stop.Cancel();
        };

        Assert.Equal(TrainerResult.Interrupted, session.RunUntil(stop.Token));

        Assert.Equal(3, session.State.Step);
        Assert.Equal([3], session.Checkpoints);
    }

    [Fact]
    public void ARunThatDoesNotFit_SaysSoBeforeItStarts()
    {
        using var backend = Backend.Create("cpu");
        var config = GptConfig.Create(Architecture.Llama, 2, 2, 16, 16, 40);
        using var model = new Gpt(config, backend);
        var examples = new Windows(Session.RandomStream(1000), 16, keepRest: false, "training");

        var error = Assert.Throws<TinyLlmException>(() => new Trainer(model, examples, null, Settings(steps: 1) with { BatchSize = 1_000_000 }));

        Assert.Contains("The run needs", error.Message, StringComparison.Ordinal);
        Assert.Contains("--batch-size", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--batch-size 0")]
    [InlineData("--accumulate 0")]
    [InlineData("--keep 0")]
    [InlineData("--beta1 1")]
    [InlineData("--clip NaN")]
    public void Settings_OutOfRange_AreRefusedByTheirOption(string expected)
    {
        var good = Settings(steps: 1);
        var bad = expected.Split(' ')[0] switch
        {
            "--batch-size" => good with { BatchSize = 0 },
            "--accumulate" => good with { Accumulate = 0 },
            "--keep" => good with { Keep = 0 },
            "--beta1" => good with { AdamW = good.AdamW with { Beta1 = 1 } },
            _ => good with { AdamW = good.AdamW with { Clip = float.NaN } },
        };

        Assert.StartsWith(expected, Assert.Throws<TinyLlmException>(bad.Validate).Message, StringComparison.Ordinal);
    }

    private static TrainerSettings Settings(int steps) => new()
    {
        BatchSize = 3,
        Schedule = new Schedule(ScheduleKind.Cosine, 2e-3, 2e-4, 0, steps),
        Seed = 7,
    };

    /// <summary>A small model in training on random tokens, and what its loop told.</summary>
    private sealed class Session : ITrainerEvents, IDisposable
    {
        public Session(Backend backend, Architecture architecture, TrainerSettings settings, float dropout = 0, int[]? stream = null)
        {
            var config = GptConfig.Create(architecture, 2, 4, 32, 16, 40, architecture == Architecture.Gpt2 ? 4 : 2, dropout);
            Model = new Gpt(config, backend);
            Model.Initialize(settings.Seed);
            Trainer = new Trainer(Model, new Windows(stream ?? RandomStream(1000), 16, keepRest: false, "training"), null, settings with { LogEvery = 1 });
        }

        public Gpt Model { get; }

        public Trainer Trainer { get; }

        public TrainerState State { get; } = new();

        public List<double> Losses { get; } = [];

        public List<float> LearningRates { get; } = [];

        public List<int> Checkpoints { get; } = [];

        public Action<int>? OnStep { get; set; }

        public static int[] RandomStream(int length)
        {
            var random = new Random(5);
            return Enumerable.Range(0, length).Select(_ => random.Next(40)).ToArray();
        }

        public TrainerResult Run() => RunUntil(CancellationToken.None);

        public TrainerResult RunUntil(CancellationToken stop) => Trainer.Run(State, this, stop);

        public float[] Weights() => Model.Parameters.All.SelectMany(p => ModelRun.Read(p.Value)).ToArray();

        public void Stepped(int step, double loss, double tokensPerSecond)
        {
            Losses.Add(loss);
            OnStep?.Invoke(step);
        }

        public void Log(StepReport report) => LearningRates.Add(report.LearningRate);

        public void Best(TrainerState state) => Assert.Fail("There is no evaluation.");

        public void Sample(int step) => Assert.Fail("No sample was asked for.");

        public void Checkpoint(TrainerState state) => Checkpoints.Add(state.Step);

        public void Dispose()
        {
            Trainer.Dispose();
            Model.Dispose();
        }
    }
}
