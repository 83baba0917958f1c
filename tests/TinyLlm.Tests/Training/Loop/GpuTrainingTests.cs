using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using TinyLlm.Training.Optimizers;
using TinyLlm.Training.Preferences;
using TinyLlm.Training.Rewards;
using Xunit;

namespace TinyLlm.Tests.Training;

public sealed class GpuTrainingTestsOnSimulated()
    : GpuTrainingTests<Simulated>(layers: 1, width: 8, context: 5, batchSize: 2);

/// <summary>
/// Whole steps of training on a GPU: the losses, and the weights that come of them, are those of the CPU.
/// </summary>
public abstract class GpuTrainingTests<TDevice>(int layers, int width, int context, int batchSize)
    where TDevice : IDevice
{
    private const int Steps = 3, Vocabulary = 19, Heads = 2;

    [Theory]
    [InlineData(Architecture.Gpt2, 0f, false)]
    [InlineData(Architecture.Qwen3, 0.2f, true)]
    public void ThreeSteps_AreThoseOfTheCpu(Architecture architecture, float dropout, bool microBatches)
    {
        var settings = Settings with { MicroBatch = microBatches ? 1 : batchSize, Recompute = microBatches };
        using Backend cpu = Backend.Create("cpu"), gpu = TDevice.Create();
        var expected = Train(cpu, architecture, DType.F32, dropout, settings);
        var actual = Train(gpu, architecture, DType.F32, dropout, settings);

        for (int step = 0; step < Steps; step++)
        {
            Assert.True(
                Math.Abs(expected.Losses[step] - actual.Losses[step]) <= 1e-4,
                $"step {step}: {expected.Losses[step]:R} on the CPU, {actual.Losses[step]:R} here");
        }

        Compare.Close(
            "weights", Array.ConvertAll(expected.Weights, w => (double)w), actual.Weights, expected.Weights.Length,
            1e-4, 1);
    }

    /// <summary>
    /// bf16 has three digits: the losses are close, and the master weights take steps that their copies, rounded, could
    /// not hold.
    /// </summary>
    [Fact]
    public void ThreeStepsInBf16_AreCloseToTheCpu()
    {
        const Architecture architecture = Architecture.Qwen3;
        using Backend cpu = Backend.Create("cpu"), gpu = TDevice.Create();
        var expected = Train(cpu, architecture, DType.F32, 0, Settings);
        var actual = Train(gpu, architecture, DType.BF16, 0, Settings);

        for (int step = 0; step < Steps; step++)
        {
            Assert.True(
                Math.Abs(expected.Losses[step] - actual.Losses[step]) <= 2e-2,
                $"step {step}: {expected.Losses[step]:R} on the CPU, {actual.Losses[step]:R} here");
        }

        Assert.Contains(actual.Weights, w => w != TinyLlm.Kernels.Gpu.BFloat16.Round(w));
    }

    /// <summary>The same by Muon, whose momentum is made orthogonal by products of that type.</summary>
    [Theory]
    [InlineData(Architecture.Gpt2, DType.F32)]
    [InlineData(Architecture.Qwen3, DType.BF16)]
    public void ThreeStepsOfMuon_AreThoseOfTheCpu(Architecture architecture, DType type)
    {
        var settings = Settings with { Muon = new MuonSettings(0.025) };
        using Backend cpu = Backend.Create("cpu"), gpu = TDevice.Create();
        var expected = Train(cpu, architecture, DType.F32, 0, settings);
        var actual = Train(gpu, architecture, type, 0, settings);

        for (int step = 0; step < Steps; step++)
        {
            Assert.True(
                Math.Abs(expected.Losses[step] - actual.Losses[step]) <= (type == DType.F32 ? 1e-4 : 2e-2),
                $"step {step}: {expected.Losses[step]:R} on the CPU, {actual.Losses[step]:R} here");
        }

        if (type == DType.F32)
        {
            Compare.Close(
                "weights", Array.ConvertAll(expected.Weights, w => (double)w), actual.Weights, expected.Weights.Length,
                1e-4, 1);
        }
    }

    /// <summary>
    /// The losses whose token weights the host works out between the passes: comparisons, and rewards of what the model
    /// answered on the device.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void StepsOfAnObjective_AreThoseOfTheCpu(bool rewards)
    {
        using Backend cpu = Backend.Create("cpu"), gpu = TDevice.Create();
        var expected = Learn(cpu, rewards);
        var actual = Learn(gpu, rewards);

        for (int step = 0; step < expected.Losses.Count; step++)
        {
            Assert.True(
                Math.Abs(expected.Losses[step] - actual.Losses[step]) <= 1e-4,
                $"step {step}: {expected.Losses[step]:R} on the CPU, {actual.Losses[step]:R} here");
        }

        Compare.Close(
            "weights", Array.ConvertAll(expected.Weights, w => (double)w), actual.Weights, expected.Weights.Length,
            1e-4, 1);
    }

    private static (List<double> Losses, float[] Weights) Learn(Backend backend, bool rewards)
    {
        const int chatContext = 40, rows = 4, steps = 2;
        var tokenizer = CharTokenizer.Train("ab?!"u8);
        using Gpt model = NewModel(3), reference = NewModel(4);
        float[] before = Weights(model);
        List<ChatMessage> question = [new("user", "a?")];
        using var rollouts = rewards
            ? new Rollouts(
                model, tokenizer, [new Conversation([.. question, new(ChatTemplate.Assistant, "b")])], new Lengths(),
                new RolloutSettings(2, 5, 1, rows, 5), reference, CancellationToken.None)
            : null;
        var pairs = new PreferenceExamples(
            [new(question, "b!", "a"), new([new("user", "b?")], "b", "aab")], tokenizer, chatContext);
        IObjective objective = rollouts is null
            ? new PreferenceObjective(
                new PreferenceSettings(0.5, 0.1, PreferenceLossKind.SigmoidNorm),
                PreferenceObjective.LogProbabilities(reference, pairs, rows, CancellationToken.None))
            : new RewardObjective(rollouts, kl: 0.1);
        var settings = new TrainerSettings
        {
            BatchSize = rows,
            MicroBatch = rows,
            Schedule = new Schedule(ScheduleKind.Constant, 3e-3, 3e-3, 0, steps),
            Seed = 5
        };
        using var trainer = new Trainer(model, rollouts ?? (IExamples)pairs, null, settings, objective);
        var state = new TrainerState();
        var losses = new List<double>();
        for (; state.Step < steps; state.Step++)
            losses.Add(trainer.Step(state, settings.Schedule.At(state.Step)));
        Assert.NotEqual(before, Weights(model));
        return (losses, Weights(model));

        Gpt NewModel(ulong seed)
        {
            var gpt = new Gpt(
                GptConfig.Create(Architecture.Qwen3, 1, Heads, 8, chatContext, tokenizer.VocabularySize), backend);
            gpt.Initialize(seed);
            return gpt;
        }
    }

    private static float[] Weights(Gpt model) => [.. model.Parameters.All.SelectMany(p => ModelRun.Read(p.Value))];

    private sealed class Lengths : IReward
    {
        public double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop) =>
            [.. attempts.Select(a => (double)a.Completion.Length)];
    }

    private TrainerSettings Settings => new()
    {
        BatchSize = batchSize,
        Schedule = new Schedule(ScheduleKind.Constant, 3e-3, 3e-3, 0, Steps),
        Seed = 5,
    };

    private (double[] Losses, float[] Weights) Train(
        Backend backend, Architecture architecture, DType type, float dropout, TrainerSettings settings)
    {
        var config = GptConfig.Create(
            architecture, layers, Heads, width, context, Vocabulary, architecture == Architecture.Gpt2 ? Heads
            : 1, dropout) with
        { ComputeType = type };
        using var model = new Gpt(config, backend);
        model.Initialize(settings.Seed);
        var examples = new Windows(
            new RandomValues(2).Integers(40 * context, 0, Vocabulary), context, keepRest: false, "training");
        using var trainer = new Trainer(model, examples, null, settings);
        var state = new TrainerState();
        var losses = new double[Steps];
        for (; state.Step < Steps; state.Step++)
            losses[state.Step] = trainer.Step(state, settings.Schedule.At(state.Step));
        return (losses, Weights(model));
    }
}
