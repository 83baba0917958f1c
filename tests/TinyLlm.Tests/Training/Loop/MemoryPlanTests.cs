using System.Globalization;
using System.Text.RegularExpressions;
using TinyLlm.Data;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using TinyLlm.Training.Optimizers;
using Xunit;

namespace TinyLlm.Tests.Training;

/// <summary>
/// On a device with little memory: which micro-batch is chosen, and what a run that does not fit says.
/// </summary>
public sealed partial class MemoryPlanTests : IDisposable
{
    private const int T = 64, BatchSize = 12;

    private readonly CpuBackend backend = CpuBackend.Create(1);
    private readonly Gpt model;
    private readonly Windows examples = new(new RandomValues(3).Integers(2000, 0, 40), T, keepRest: false, "training");

    public MemoryPlanTests()
    {
        model = new Gpt(GptConfig.Create(Architecture.Qwen3, 6, 2, 32, T, 40), backend);
        model.Initialize(1);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void TheLargestDivisorThatFits_IsChosen(bool recompute, bool muon)
    {
        var settings = Settings with { Recompute = recompute, Muon = muon ? new MuonSettings(0.025) : null };
        int[] divisors = [12, 6, 4, 3, 2, 1];
        foreach (var (rows, next) in divisors.Zip(divisors.Skip(1)))
        {
            long needed = Bytes(settings with { MicroBatch = rows });

            Free(AvailableFor(needed));
            Assert.Equal(rows, Chosen(settings));
            Free(AvailableFor(needed) - 32);
            Assert.Equal(next, Chosen(settings));
        }
    }

    /// <summary>
    /// Muon keeps one number for each weight of a matrix where AdamW keeps two, and computes in the room of a few of
    /// them.
    /// </summary>
    [Fact]
    public void Muon_TakesLessMemory()
    {
        var settings = Settings with { MicroBatch = 1 };
        using Trainer adamW = new(model, examples, null, settings),
            muon = new(model, examples, null, settings with { Muon = new MuonSettings(0.025) });
        long matrices = model.Parameters.All.Where(p => p.Group == ParameterGroup.Matrix)
            .Sum(p => p.Shape.Count * sizeof(float));

        Assert.Equal(adamW.Bytes - adamW.OptimizerBytes, muon.Bytes - muon.OptimizerBytes);
        Assert.InRange(adamW.OptimizerBytes - muon.OptimizerBytes, matrices / 2, matrices);
        Assert.Equal(
            adamW.OptimizerBytes, adamW.Optimizer.State.Sum(s => (s.Tensor.Count + 63) / 64 * 64 * sizeof(float)));
        Assert.InRange(muon.Optimizer.State.Sum(s => s.Tensor.Count * sizeof(float)), 1, muon.OptimizerBytes - 1);
    }

    [Fact]
    public void AMicroBatchThatIsNamed_IsTakenOrRefused_AndOneOfAResumedRunGivesWay()
    {
        var settings = Settings with { MicroBatch = 6 };
        Free(AvailableFor(Bytes(settings)));
        Assert.Equal(6, Chosen(settings));
        Assert.Equal(6, Chosen(settings with { MicroBatchMayChange = true }));
        Assert.Equal(2, Chosen(settings with { MicroBatch = 2, MicroBatchMayChange = true }));

        Free(AvailableFor(Bytes(settings)) - 32);
        Assert.Equal(4, Chosen(settings with { MicroBatchMayChange = true }));
        var error = UserError.Expect(
            () => Chosen(settings), "with --micro-batch 6", "smaller --micro-batch, --context, --width or --layers");
        Assert.DoesNotContain("--batch-size", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunThatDoesNotFit_SaysWhatItNeedsAndWhatWouldShrinkIt()
    {
        var one = Settings with { MicroBatch = 1 };
        long recomputed = Bytes(one with { Recompute = true });
        Free(AvailableFor(recomputed));

        var error = UserError.Expect(
            () => Chosen(Settings), "with --micro-batch 1", "a smaller --context, --width or --layers shrinks it");

        var match = Needs().Match(error.Message);
        Assert.True(match.Success, error.Message);
        double Number(string group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);
        Assert.Equal(
            Number("all"),
            Number("weights") + Number("gradients") + Number("optimizer") + Number("activations") + Number("ids"), 0.3);
        Assert.Equal((model.Bytes + Bytes(one)) / 1048576.0, Number("all"), 0.051);
        Assert.Equal(model.Bytes / 1048576.0, Number("weights"), 0.051);
        Assert.Equal((model.Bytes + AvailableFor(recomputed)) / 1048576.0, Number("free"), 0.051);
        Assert.Equal((model.Bytes + recomputed) / 1048576.0, Number("recomputed"), 0.051);

        // The figure is not only said: with --recompute the run fits, and with a little less memory it does not.
        Assert.Equal(1, Chosen(Settings with { Recompute = true }));
        Free(AvailableFor(recomputed) - 32);
        var without = UserError.Expect(
            () => Chosen(Settings with { Recompute = true }), "The run needs",
            "A smaller --context, --width or --layers shrinks it");
        Assert.DoesNotContain("--recompute", without.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AStepOfTooManyRows_NamesTheOptionsThatCountThem()
    {
        Free(64 << 20);
        UserError.Expect(
            () => Chosen(Settings with { Accumulate = 100_000 }), "token ids 585.9",
            "smaller --batch-size, --accumulate, --context");
    }

    [Fact]
    public void ADeviceThatRefusesWhatShouldFit_GivesTheSameLine()
    {
        backend.LargestPiece = 1 << 20;

        var error = UserError.Expect(
            () => Chosen(Settings), "The run needs", $"with --micro-batch {BatchSize}", "the device refused them",
            "With --recompute it needs", "--micro-batch, --context");

        Assert.IsType<TinyLlmException>(error.InnerException);
        Assert.Equal(model.Bytes, backend.ClaimedBytes);
    }

    [Fact]
    public void OtherMemoryThatIsRefused_IsOneLineToo()
    {
        backend.LargestPiece = 1 << 10;
        UserError.Expect(() => new Generator(model).Dispose(), "MiB are needed and the system refused them");
        Free(1 << 10);
        UserError.Expect(() => new Generator(model).Dispose(), "generation: ", "MiB are needed and 0 MiB are free");
        UserError.Expect(
            () => new Gpt(model.Config, backend).Dispose(), "The model's weights: ",
            "--layers, --width or --vocab-size");
    }

    public void Dispose()
    {
        model.Dispose();
        backend.Dispose();
    }

    private static TrainerSettings Settings => new()
    {
        BatchSize = BatchSize,
        Schedule = new Schedule(ScheduleKind.Constant, 1e-3, 0, 0, 1),
    };

    // A sixteenth of what is free is kept for scratch memory.
    private static long AvailableFor(long bytes) => (bytes * 16 + 14) / 15;

    private void Free(long bytes) => backend.MemoryLimit = model.Bytes + bytes;

    private int Chosen(TrainerSettings settings)
    {
        using var trainer = new Trainer(model, examples, null, settings);
        return trainer.MicroBatch;
    }

    // What a run takes besides the weights, where there is no limit.
    private long Bytes(TrainerSettings settings)
    {
        long limit = backend.MemoryLimit;
        backend.MemoryLimit = long.MaxValue;
        using var trainer = new Trainer(model, examples, null, settings);
        backend.MemoryLimit = limit;
        return trainer.Bytes + 2L * sizeof(int) * settings.BatchSize * settings.Accumulate * T;
    }

    [GeneratedRegex(
        @"^The run needs (?<all>\S+) MiB: weights (?<weights>\S+), gradients (?<gradients>\S+), optimiser state (?<optimizer>\S+), " +
        @"activations (?<activations>\S+) with --micro-batch 1, token ids (?<ids>\S+)\. (?<free>\S+) MiB are free, .* With --recompute it needs (?<recomputed>\S+) MiB; ")]
    private static partial Regex Needs();
}
