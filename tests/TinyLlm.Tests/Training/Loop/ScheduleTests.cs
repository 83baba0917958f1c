using TinyLlm.Tests.Support;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Training;

public sealed class ScheduleTests
{
    // nanoGPT's formula with lr 1e-3, min 1e-4, warm-up 100 and 5,000 steps, worked out by hand.
    [Theory]
    [InlineData(ScheduleKind.Cosine, 0, 9.90099e-6)] // 1e-3 * 1 / 101
    [InlineData(ScheduleKind.Cosine, 49, 4.950495e-4)] // 1e-3 * 50 / 101
    [InlineData(ScheduleKind.Cosine, 99, 9.90099e-4)] // 1e-3 * 100 / 101
    [InlineData(ScheduleKind.Cosine, 100, 1e-3)]
    [InlineData(ScheduleKind.Cosine, 1325, 8.681981e-4)] // r = 1/4: 1e-4 + 9e-4 (1 + sqrt(1/2)) / 2
    [InlineData(ScheduleKind.Cosine, 2550, 5.5e-4)] // r = 1/2
    [InlineData(ScheduleKind.Cosine, 5000, 1e-4)]
    [InlineData(ScheduleKind.Cosine, 9000, 1e-4)]
    [InlineData(ScheduleKind.Linear, 100, 1e-3)]
    [InlineData(ScheduleKind.Linear, 1325, 7.75e-4)]
    [InlineData(ScheduleKind.Linear, 5000, 1e-4)]
    [InlineData(ScheduleKind.Wsd, 99, 9.90099e-4)]
    [InlineData(ScheduleKind.Wsd, 100, 1e-3)]
    [InlineData(ScheduleKind.Wsd, 4000, 1e-3)] // the last fifth begins
    [InlineData(ScheduleKind.Wsd, 4001, 9.991e-4)]
    [InlineData(ScheduleKind.Wsd, 4500, 5.5e-4)]
    [InlineData(ScheduleKind.Wsd, 5000, 1e-4)]
    [InlineData(ScheduleKind.Constant, 99, 9.90099e-4)]
    [InlineData(ScheduleKind.Constant, 100, 1e-3)]
    [InlineData(ScheduleKind.Constant, 9000, 1e-3)]
    public void At_IsTheFormula(ScheduleKind kind, int step, double expected)
    {
        float actual = new Schedule(kind, 1e-3, 1e-4, 100, 5000).Validate().At(step);
        Assert.True(
            Math.Abs(actual - expected) <= 1e-6 * expected, $"{kind} at {step}: expected {expected}, got {actual}");
    }

    [Theory]
    [InlineData(ScheduleKind.Cosine, 0.2, 0, 1)]
    [InlineData(ScheduleKind.Cosine, 0.2, 7, 50)]
    [InlineData(ScheduleKind.Linear, 0.2, 49, 50)]
    [InlineData(ScheduleKind.Wsd, 0.2, 7, 50)]
    [InlineData(ScheduleKind.Wsd, 0.2, 45, 50)] // the decay would begin inside the warm-up
    [InlineData(ScheduleKind.Wsd, 1.0, 7, 50)]
    [InlineData(ScheduleKind.Wsd, 0.0, 7, 50)]
    [InlineData(ScheduleKind.Wsd, 0.2, 0, 1)]
    [InlineData(ScheduleKind.Constant, 0.2, 7, 50)]
    public void At_RisesThenNeverRises(ScheduleKind kind, double decay, int warmup, int steps)
    {
        var schedule = new Schedule(kind, 2e-3, 2e-4, warmup, steps, decay).Validate();
        for (int step = 1; step < warmup; step++)
            Assert.True(schedule.At(step) > schedule.At(step - 1), $"step {step} of the warm-up does not rise");
        Assert.Equal(2e-3f, schedule.At(warmup));
        for (int step = warmup; step < steps + 10; step++)
        {
            float now = schedule.At(step), next = schedule.At(step + 1);
            Assert.True(next <= now, $"step {step + 1} rises from {now} to {next}");
            Assert.InRange(now, 2e-4f, 2e-3f);
        }

        Assert.Equal(kind == ScheduleKind.Constant ? 2e-3f : 2e-4f, schedule.At(steps));
    }

    [Fact]
    public void At_NegativeStep_Throws() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Schedule(ScheduleKind.Cosine, 1, 0, 0, 10).At(-1));

    [Theory]
    [InlineData(0.0, 0.0, 0, 10, 0.2, "--lr is 0;")]
    [InlineData(-1.0, 0.0, 0, 10, 0.2, "--lr is -1;")]
    [InlineData(double.NaN, 0.0, 0, 10, 0.2, "--lr is NaN;")]
    [InlineData(double.PositiveInfinity, 0.0, 0, 10, 0.2, "--lr is")]
    [InlineData(1.0, -1.0, 0, 10, 0.2, "--min-lr is -1;")]
    [InlineData(1.0, 2.0, 0, 10, 0.2, "--min-lr is 2;")]
    [InlineData(1.0, double.NaN, 0, 10, 0.2, "--min-lr is NaN;")]
    [InlineData(1.0, 0.0, -1, 10, 0.2, "--warmup is -1;")]
    [InlineData(1.0, 0.0, 10, 10, 0.2, "--warmup is 10;")]
    [InlineData(1.0, 0.0, 0, 0, 0.2, "--steps is 0;")]
    [InlineData(1.0, 0.0, 0, 10, 1.5, "decay fraction")]
    [InlineData(1.0, 0.0, 0, 10, double.NaN, "decay fraction")]
    public void Validate_NamesTheOption(double lr, double min, int warmup, int steps, double decay, string part) =>
        UserError.Expect(() => new Schedule(ScheduleKind.Wsd, lr, min, warmup, steps, decay).Validate(), part);
}
