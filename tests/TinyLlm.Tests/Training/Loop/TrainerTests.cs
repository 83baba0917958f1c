using System.Globalization;
using System.Text.Json;
using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using TinyLlm.Training.Optimizers;
using Xunit;

namespace TinyLlm.Tests.Training;

/// <summary>The loop: exactness of threads, accumulation and resume; learning; memory; what it tells.</summary>
public class TrainerTests
{
    public static TheoryData<Architecture> Architectures => [Architecture.Gpt2, Architecture.Llama, Architecture.Qwen3];

    [Theory]
    [InlineData(Architecture.Gpt2, false)]
    [InlineData(Architecture.Llama, false)]
    [InlineData(Architecture.Qwen3, false)]
    [InlineData(Architecture.Gpt2, true)]
    [InlineData(Architecture.Qwen3, true)]
    public void ThreadCount_ChangesNoBit(Architecture architecture, bool muon)
    {
        float[] Train(int threads)
        {
            using var backend = CpuBackend.Create(threads);
            using var session = new Session(
                backend, architecture, Settings(steps: 4) with { Muon = muon ? new MuonSettings(0.025) : null },
                dropout: 0.1f);
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
        using var small = new Session(
            backend, Architecture.Qwen3, Settings(steps: 3) with { BatchSize = 2, Accumulate = 3 }, dropout);

        large.Run();
        small.Run();

        for (int i = 0; i < large.Losses.Count; i++)
            Assert.InRange(small.Losses[i], large.Losses[i] - 1e-5, large.Losses[i] + 1e-5);
        var (expected, actual) = (large.Weights(), small.Weights());
        for (int i = 0; i < expected.Length; i++)
            Assert.InRange(actual[i], expected[i] - 1e-5f, expected[i] + 1e-5f);
    }

    /// <summary>
    /// Losses and gradients: weights would show the noise of gpt2's key biases, whose gradient is zero but for
    /// rounding.
    /// </summary>
    [Theory]
    [InlineData(Architecture.Gpt2, 1)]
    [InlineData(Architecture.Llama, 2)]
    [InlineData(Architecture.Qwen3, 3)]
    public void MicroBatches_EqualTheBatch(Architecture architecture, int microBatch)
    {
        using var backend = Backend.Create("cpu");
        var settings = Settings(steps: 3) with { BatchSize = 6, Accumulate = 2 };
        using var whole = new Session(backend, architecture, settings, dropout: 0.2f);
        using var parts = new Session(backend, architecture, settings with { MicroBatch = microBatch }, dropout: 0.2f);
        Assert.Equal([6, microBatch], [whole.Trainer.MicroBatch, parts.Trainer.MicroBatch]);

        for (int step = 0; step < 3; step++)
        {
            double expected = whole.Trainer.Step(whole.State, 1e-3f);
            Assert.InRange(parts.Trainer.Step(parts.State, 1e-3f), expected - 1e-5, expected + 1e-5);
            var (large, small) = (ModelRun.Read(whole.Model.AllGradients), ModelRun.Read(parts.Model.AllGradients));
            Assert.All(large.Zip(small), pair => Assert.InRange(pair.Second, pair.First - 1e-5f, pair.First + 1e-5f));
            (whole.State.Step, parts.State.Step) = (step + 1, step + 1);
        }

        Assert.Equal(whole.State.Tokens, parts.State.Tokens);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void TheOrderOfTheData_IsThatOfTheBatch_WhateverTheMicroBatch(int microBatch)
    {
        using var backend = Backend.Create("cpu", 1);
        var settings = Settings(steps: 3) with { BatchSize = 6, Accumulate = 2 };
        List<(long, long)> Read(int rows)
        {
            var examples = new WatchedExamples(new Windows(Session.RandomStream(300), 16, keepRest: false, "training"));
            using var session =
                new Session(backend, Architecture.Llama, settings with { MicroBatch = rows }, examples: examples);
            session.Run();
            return examples.Places;
        }

        var expected = Read(6);

        // Three steps, and the one that is looked at before the checkpoint.
        Assert.Equal(4 * 12, expected.Count);
        Assert.Equal(expected, Read(microBatch));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void Recomputation_ChangesNoBit(Architecture architecture)
    {
        using var backend = Backend.Create("cpu");
        var settings = Settings(steps: 4) with { BatchSize = 4, MicroBatch = 2 };
        using var kept = new Session(backend, architecture, settings, dropout: 0.2f);
        using var recomputed = new Session(backend, architecture, settings with { Recompute = true }, dropout: 0.2f);

        kept.Run();
        recomputed.Run();

        Assert.Equal(kept.Losses, recomputed.Losses);
        Compare.SameBits("weights", kept.Weights(), recomputed.Weights());
        Assert.InRange(recomputed.Trainer.Bytes, 1, kept.Trainer.Bytes - 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void OneBatch_IsLearnedByHeart(bool muon)
    {
        using var backend = Backend.Create("cpu");
        var settings = Settings(
            steps: 150) with
        {
            BatchSize = 2,
            Muon = muon ? new MuonSettings(0.025)
            : null,
            Schedule = new Schedule(ScheduleKind.Constant, 5e-3, 0, 0, 150)
        };

        // Two windows, both of them in every batch.
        using var session =
            new Session(backend, Architecture.Qwen3, settings, stream: Session.RandomStream(2 * 16 + 1));
        session.Run();

        Assert.InRange(session.Losses[0], 3.0, 5.0);
        Assert.InRange(session.Losses[^1], 0, 0.02);
    }

    [Theory]
    [InlineData(0, false, false)]
    [InlineData(1, true, false)]
    [InlineData(0, false, true)]
    [InlineData(1, true, true)]
    public void ALoop_AllocatesNothing(int microBatch, bool recompute, bool muon)
    {
        using var backend = CpuBackend.Create(1);
        var settings = Settings(
            steps: 1000) with
        {
            Accumulate = 2,
            MicroBatch = microBatch,
            Recompute = recompute,
            Muon = muon
            ? new MuonSettings(0.025) : null
        };
        using var session = new Session(backend, Architecture.Qwen3, settings, dropout: 0.1f);
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

    /// <summary>
    /// Stopped within an evaluation, between two or in the last one: what goes on from the saved state evaluates first,
    /// and tells the same.
    /// </summary>
    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public void AnEvaluationThatIsCutOff_IsMadeByWhatGoesOn(int stopAt)
    {
        using var backend = Backend.Create("cpu");
        var validation = new Windows(Session.RandomStream(400), 16, keepRest: false, "validation");
        var settings = Settings(steps: 6) with { EvaluateEvery = 2 };
        using var whole = new Session(backend, Architecture.Qwen3, settings, validation: validation);
        whole.Run();
        Assert.Equal([2, 4, 6], whole.Evaluations.Select(e => e.Step));

        using var stop = new CancellationTokenSource();
        using var cut = new Session(
            backend, Architecture.Qwen3, settings,
            validation: new StoppingExamples(
                validation, stop, whenRead: (stopAt / 2 - 1) * (int)validation.Count + 10));
        Assert.Equal(TrainerResult.Interrupted, cut.RunUntil(stop.Token));
        Assert.Equal(stopAt, cut.State.Step);
        Assert.Equal([stopAt], cut.Checkpoints);
        Assert.Equal(stopAt / 2 - 1, cut.Evaluations.Count);

        // The state as a checkpoint keeps it.
        cut.State = JsonSerializer.Deserialize<TrainerState>(JsonSerializer.Serialize(cut.State))!;
        Assert.Equal(TrainerResult.Finished, cut.Run());
        Assert.Equal(whole.Evaluations, cut.Evaluations);
        Assert.Equal(whole.Losses, cut.Losses);
        Assert.Equal(whole.LearningRates, cut.LearningRates);
        Assert.Equal(
            (whole.State.BestLoss, whole.State.Tokens, 6), (cut.State.BestLoss, cut.State.Tokens, cut.Checkpoints[^1]));
        Assert.Null(cut.State.Unreported);
        Compare.SameBits("weights", whole.Weights(), cut.Weights());
    }

    /// <summary>
    /// A device that works on its own is given the next step early; what the loop tells, and what comes of it, is the
    /// same.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(3)]
    public void StartingTheNextStepEarly_ChangesNothing(int checkpointEvery)
    {
        using CpuBackend inTurn = CpuBackend.Create(1), ahead = CpuBackend.Create(1);
        ahead.SeemsAsynchronous = true;
        var settings = Settings(steps: 7) with { CheckpointEvery = checkpointEvery, BatchSize = 4, MicroBatch = 2 };
        using Session expected = new(inTurn, Architecture.Qwen3, settings, dropout: 0.1f),
            actual = new(ahead, Architecture.Qwen3, settings, dropout: 0.1f);

        Assert.Equal([TrainerResult.Finished, TrainerResult.Finished], [expected.Run(), actual.Run()]);

        Assert.Equal(expected.Losses, actual.Losses);
        Assert.Equal(expected.LearningRates, actual.LearningRates);
        Assert.Equal(expected.Checkpoints, actual.Checkpoints);
        Assert.Equal(expected.State.Tokens, actual.State.Tokens);
        Compare.SameBits("weights", expected.Weights(), actual.Weights());
    }

    /// <summary>
    /// The step that was started early is finished before the run stops: the checkpoint has the weights of its own
    /// step.
    /// </summary>
    [Fact]
    public void ACancelledRunThatIsAhead_FinishesWhatItStarted()
    {
        using var backend = CpuBackend.Create(1);
        backend.SeemsAsynchronous = true;
        using Session cancelled = new(backend, Architecture.Gpt2, Settings(steps: 100)),
            whole = new(backend, Architecture.Gpt2, Settings(steps: 100) with { StopAfter = 4 });
        using var stop = new CancellationTokenSource();
        cancelled.OnStep = step =>
        {
            if (step == 3)
                stop.Cancel();
        };

        Assert.Equal(TrainerResult.Interrupted, cancelled.RunUntil(stop.Token));
        whole.Run();

        Assert.Equal(4, cancelled.State.Step);
        Assert.Equal([4], cancelled.Checkpoints);
        Compare.SameBits("weights", whole.Weights(), cancelled.Weights());
    }

    [Theory]
    [InlineData("--batch-size 0")]
    [InlineData("--accumulate 0")]
    [InlineData("--accumulate 2000000000: expected at most 715827882 with --batch-size 3")]
    [InlineData("--micro-batch -1")]
    [InlineData(
        "--micro-batch 2 does not divide --batch-size 3; expected 0 (as many rows as fit) or a divisor, such as 1.")]
    [InlineData(
        "--micro-batch 6 does not divide --batch-size 3; expected 0 (as many rows as fit) or a divisor, such as 3.")]
    [InlineData("--keep 0")]
    [InlineData("--beta1 1")]
    [InlineData("--muon-lr 0: expected a number above 0")]
    [InlineData("--clip NaN")]
    public void Settings_OutOfRange_AreRefusedByTheirOption(string expected)
    {
        var good = Settings(steps: 1);
        string[] words = expected.Split(' ', ':');
        var bad = words[0] switch
        {
            "--batch-size" => good with { BatchSize = 0 },
            "--accumulate" => good with { Accumulate = int.Parse(words[1], CultureInfo.InvariantCulture) },
            "--micro-batch" => good with { MicroBatch = int.Parse(words[1], CultureInfo.InvariantCulture) },
            "--keep" => good with { Keep = 0 },
            "--muon-lr" => good with { Muon = new MuonSettings(0) },
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

    /// <summary>Examples whose n-th reading asks the run to stop.</summary>
    private sealed class StoppingExamples(IExamples all, CancellationTokenSource stop, int whenRead) : IExamples
    {
        private int read;

        public int Length => all.Length;

        public long Count => all.Count;

        public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
        {
            all.Read(epoch, index, tokens, targets);
            if (++read == whenRead)
                stop.Cancel();
        }
    }

    /// <summary>A small model in training on random tokens, and what its loop told.</summary>
    private sealed class Session : ITrainerEvents, IDisposable
    {
        public Session(
            Backend backend, Architecture architecture, TrainerSettings settings, float dropout = 0,
            int[]? stream = null, IExamples? examples = null, IExamples? validation = null)
        {
            var config =
                GptConfig.Create(architecture, 2, 4, 32, 16, 40, architecture == Architecture.Gpt2 ? 4 : 2, dropout);
            Model = new Gpt(config, backend);
            Model.Initialize(settings.Seed);
            examples ??= new Windows(stream ?? RandomStream(1000), 16, keepRest: false, "training");
            var evaluator = validation is null ? null : new Evaluator(validation, new ByteTokenizer(), 4);
            Trainer = new Trainer(Model, examples, evaluator, settings with { LogEvery = 1 });
        }

        public Gpt Model { get; }

        public Trainer Trainer { get; }

        public TrainerState State { get; set; } = new();

        public List<double> Losses { get; } = [];

        public List<float> LearningRates { get; } = [];

        public List<int> Checkpoints { get; } = [];

        public List<(int Step, Evaluation Evaluation)> Evaluations { get; } = [];

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

        public void Log(StepReport report)
        {
            LearningRates.Add(report.LearningRate);
            if (report.Evaluation is not null)
                Evaluations.Add((report.Step, report.Evaluation));
        }

        public void Best(TrainerState state) => Assert.Equal(state.BestLoss, Evaluations[^1].Evaluation.Loss);

        public void Sample(int step) => Assert.Fail("No sample was asked for.");

        public void Checkpoint(TrainerState state, bool byTime) => Checkpoints.Add(state.Step);

        public void Dispose()
        {
            Trainer.Dispose();
            Model.Dispose();
        }
    }
}
