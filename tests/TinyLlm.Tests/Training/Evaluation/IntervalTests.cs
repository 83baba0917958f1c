using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Training;

/// <summary>
/// Against figures from elsewhere: statsmodels' proportion_confint (wilson), and samples whose spread is known.
/// </summary>
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
        bool?[] first = [true, true, false, false, true, null, true, null],
            second = [false, true, false, true, false, true, null, null];
        var (difference, interval) = Interval.OfDifference(first, second)!.Value;
        Assert.Equal(0.2, difference, 1e-12);
        Assert.Equal((difference, interval), Interval.OfDifference(first[..5], second[..5]));
        Assert.InRange(0.2, interval.Low, interval.High);

        // The other way round it is mirrored.
        var (back, mirrored) = Interval.OfDifference(second, first)!.Value;
        Assert.Equal(-difference, back, 1e-12);
        Assert.Equal(-interval.Low, mirrored.High, 1e-12);
        Assert.Equal(-interval.High, mirrored.Low, 1e-12);

        Assert.Null(Interval.OfDifference([true, null], [null, true]));
        Assert.Throws<ArgumentException>(() => Interval.OfDifference([true], [true, false]));
    }

    /// <summary>By hand: 20 rows, 8 right by both, 6 by the first alone, 2 by the second alone, 4 by none.</summary>
    [Fact]
    public void OfDifference_IsNewcombes()
    {
        // 14 and 10 of 20: Wilson's [0.4810, 0.8545] and [0.2993, 0.7007]. Correlation (8 4 - 6 2 - 10) / sqrt(14 6 10
        // 10) = 10 / 91.65 = 0.1091.
        var (difference, interval) =
            Interval.OfDifference(Rows(8, 6, 2, 4, first: true), Rows(8, 6, 2, 4, first: false))!.Value;
        Assert.Equal(0.2, difference, 1e-12);
        Assert.Equal(
            0.2 - Math.Sqrt(0.2190 * 0.2190 - 2 * 0.1091 * 0.2190 * 0.2007 + 0.2007 * 0.2007), interval.Low, 2e-4);
        Assert.Equal(
            0.2 + Math.Sqrt(0.1545 * 0.1545 - 2 * 0.1091 * 0.1545 * 0.2007 + 0.2007 * 0.2007), interval.High, 2e-4);
    }

    [Theory]
    [InlineData(0, 10, 0, 0)]
    [InlineData(0, 0, 10, 0)]
    [InlineData(10, 0, 0, 0)]
    [InlineData(0, 0, 0, 10)]
    [InlineData(5, 0, 0, 5)]
    [InlineData(0, 1, 0, 0)]
    [InlineData(1, 0, 0, 0)]
    public void OfDifference_HasAWidth_AndStaysWithinItsEnds(int both, int firstOnly, int secondOnly, int neither)
    {
        var (difference, interval) = Interval.OfDifference(
            Rows(both, firstOnly, secondOnly, neither, first: true),
            Rows(both, firstOnly, secondOnly, neither, first: false))!.Value;
        Assert.InRange(difference, interval.Low, interval.High);
        Assert.InRange(interval.Low, -1 - 1e-12, 1);
        Assert.InRange(interval.High, -1, 1 + 1e-12);
        Assert.True(interval.High - interval.Low > 0.05, interval.ToString());
    }

    /// <summary>19 of 20 intervals hold the true difference of two models that often agree.</summary>
    [Fact]
    public void OfDifference_HoldsTheTruth_NineteenTimesOfTwenty()
    {
        var random = new Random(9);
        int held = 0;
        for (int time = 0; time < 2000; time++)
        {
            bool?[] first = new bool?[60], second = new bool?[60];
            for (int row = 0; row < 60; row++)
            {
                // 60% by both, 15% by the first alone, 5% by the second alone.
                double x = random.NextDouble();
                (first[row], second[row]) = (x < 0.75, x is < 0.6 or >= 0.95);
            }

            var interval = Interval.OfDifference(first, second)!.Value.Interval;
            held += interval.Low <= 0.1 && 0.1 <= interval.High ? 1 : 0;
        }

        Assert.InRange(held, 1870, 1960);
    }

    private static bool?[] Rows(int both, int firstOnly, int secondOnly, int neither, bool first) =>
    [
        .. Enumerable.Repeat((bool?)true, both), .. Enumerable.Repeat((bool?)first, firstOnly),
        .. Enumerable.Repeat((bool?)!first, secondOnly), .. Enumerable.Repeat((bool?)false, neither),
    ];
}
