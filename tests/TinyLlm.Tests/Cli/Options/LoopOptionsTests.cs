using TinyLlm.Cli;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>Defaults of the loop that follow from the number of steps.</summary>
public sealed class LoopOptionsTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(50, 2)]
    [InlineData(100, 5)]
    [InlineData(2000, 100)]
    [InlineData(5000, 100)]
    public void ARecipesWarmup_ScalesWithItsSteps(int steps, int expected)
    {
        var nanoGpt = new LoopDefaults(Steps: 2000, BatchSize: 12, LearningRate: 1e-3, WeightDecay: 0.1, Warmup: 100);
        Assert.Equal(expected, nanoGpt.WarmupOf(steps));
        Assert.True(nanoGpt.WarmupOf(steps) < steps);

        // Without one of its own: a twentieth, at most 100.
        Assert.Equal(Math.Min(100, steps / 20), (nanoGpt with { Warmup = null }).WarmupOf(steps));
    }
}
