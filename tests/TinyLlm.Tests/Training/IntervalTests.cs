using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Training;

/// <summary>Against figures from elsewhere: statsmodels' proportion_confint (wilson), and samples whose spread is known.</summary>
public sealed class IntervalTests
{
    [Theory]
    [InlineData(0, 10, 0, 0.2775327998628892)]
    [InlineData(10, 10, 0.7224672001371106, 1)]
    [InlineData(5, 10, 0.2365930890951306, 0.7634069109048694)]
    [InlineData(111, 520, 0.18042, 0.25070)]
    [InlineData(1, 1, 0.20654931, 1)]
    public void OfShare_IsWilsons(int right, int all, double low, double high)
    {
        var interval = Interval.OfShare(right, all);
        Assert.Equal(low, interval.Low, 1e-4);
        Assert.Equal(high, interval.High, 1e-4);
        Assert.InRange((double)right / all, interval.Low, interval.High);
    }

    [Fact]
    public void OfShare_OfNothing_IsRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Interval.OfShare(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Interval.OfShare(3, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => Interval.OfShare(-1, 2));
    }

    [Fact]
    public void OfRatio_OfEqualUnits_IsThatOfTheMean()
    {
        // Mean 3, variance 2.5: 3 ± 1.96 sqrt(2.5 / 5).
        var interval = Interval.OfRatio([(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)])!.Value;
        Assert.Equal(3 - 1.3859, interval.Low, 1e-4);
        Assert.Equal(3 + 1.3859, interval.High, 1e-4);

        // The same in other units: a unit of two tokens has twice their sum.
        var twice = Interval.OfRatio([(2, 2), (4, 2), (6, 2), (8, 2), (10, 2)])!.Value;
        Assert.Equal(interval.Low, twice.Low, 1e-9);
        Assert.Equal(interval.High, twice.High, 1e-9);
    }

    /// <summary>19 of 20 intervals hold the true ratio; units differ in size.</summary>
    [Fact]
    public void OfRatio_HoldsTheTruth_NineteenTimesOfTwenty()
    {
        var random = new Random(4);
        int held = 0;
        for (int time = 0; time < 2000; time++)
        {
            var units = Enumerable.Range(0, 100).Select(_ =>
            {
                int n = random.Next(1, 20);
                return (2.5 * n + (random.NextDouble() - 0.5) * n, (double)n);
            }).ToList();
            var interval = Interval.OfRatio(units)!.Value;
            held += interval.Low <= 2.5 && 2.5 <= interval.High ? 1 : 0;
        }

        Assert.InRange(held, 1850, 1945);
    }

    [Fact]
    public void FewerThanTwoUnits_ShowNoSpread()
    {
        Assert.Null(Interval.OfRatio([]));
        Assert.Null(Interval.OfRatio([(3, 2)]));
        Assert.Null(Interval.OfRatio([(3, 2), (0, 0)]));
    }

    [Fact]
    public void OfDifference_CountsRowsThatBothHave()
    {
        // Differences 1, 0, 0, -1, 1 and three that do not count: mean 0.2, variance 0.7.
        bool?[] first = [true, true, false, false, true, null, true, null], second = [false, true, false, true, false, true, null, null];
        var (difference, interval, rows) = Interval.OfDifference(first, second);
        Assert.Equal(5, rows);
        Assert.Equal(0.2, difference!.Value, 1e-12);
        Assert.Equal(0.2 - 1.95996 * Math.Sqrt(0.7 / 5), interval!.Value.Low, 1e-4);
        Assert.Equal(0.2 + 1.95996 * Math.Sqrt(0.7 / 5), interval.Value.High, 1e-4);

        Assert.Equal((null, null, 0), Interval.OfDifference([true, null], [null, true]));
        Assert.Equal((1.0, null, 1), Interval.OfDifference([true], [false]));
        Assert.Throws<ArgumentException>(() => Interval.OfDifference([true], [true, false]));
    }
}
