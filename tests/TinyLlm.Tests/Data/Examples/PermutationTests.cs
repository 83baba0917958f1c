using TinyLlm.Data;
using Xunit;

namespace TinyLlm.Tests.Data;

public sealed class PermutationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(1000)]
    [InlineData(65536)]
    [InlineData(65537)]
    [InlineData(300_000)]
    public void At_IsABijection(int n)
    {
        for (int epoch = 0; epoch < (n < 100 ? 50 : 2); epoch++)
        {
            var order = new Permutation(n, seed: 42, epoch);
            bool[] seen = new bool[n];
            for (int i = 0; i < n; i++)
            {
                long value = order.At(i);
                Assert.InRange(value, 0, n - 1);
                Assert.False(seen[value], $"n {n}, epoch {epoch}: {value} appears twice");
                seen[value] = true;
            }
        }
    }

    [Theory]
    [InlineData(2, 2)]
    [InlineData(3, 6)]
    [InlineData(4, 24)]
    [InlineData(5, 120)]
    public void At_TakesEveryOrderOfFew(int n, int orders)
    {
        var seen = new HashSet<string>();
        for (int epoch = 0; epoch < 60 * orders; epoch++)
        {
            var order = new Permutation(n, seed: 7, epoch);
            seen.Add(string.Join(' ', Enumerable.Range(0, n).Select(i => order.At(i))));
        }

        Assert.Equal(orders, seen.Count);
    }

    [Fact]
    public void At_DiffersByEpochAndSeedAlone()
    {
        long[] Order(ulong seed, long epoch, int n = 10_000)
        {
            var order = new Permutation(n, seed, epoch);
            return [.. Enumerable.Range(0, n).Select(i => order.At(i))];
        }

        long[] first = Order(1, 0);
        Assert.Equal(first, Order(1, 0));
        foreach (long[] other in new[] { Order(1, 1), Order(2, 0), Order(1UL << 32, 0), Order(1, 1L << 32),
            Order(1UL << 32 | 1, 0) })
        {
            // A random pair of orders agrees at one place on average.
            int same = first.Zip(other).Count(pair => pair.First == pair.Second);
            Assert.InRange(same, 0, 10);
        }
    }

    [Theory]
    [InlineData(1_000_000_000_000)]
    [InlineData((1L << 40) + 1)]
    [InlineData(Permutation.MaxCount)]
    public void At_OfManyIsInjectiveWhereLookedAt(long n)
    {
        var order = new Permutation(n, seed: 3, epoch: 1);
        var seen = new HashSet<long>();
        for (long i = 0; i < 100_000; i++)
        {
            foreach (long index in new[] { i, n - 1 - i })
            {
                long value = order.At(index);
                Assert.InRange(value, 0, n - 1);
                Assert.True(seen.Add(value), $"n {n}: {value} appears twice");
            }
        }
    }

    // Of n uniform draws the correlation has a standard deviation of 1/sqrt(n): 0.01 here.
    [Theory]
    [InlineData(10_000)]
    [InlineData(1_000_000_000_000)]
    public void At_LooksRandom(long n)
    {
        const int count = 10_000;
        for (int epoch = 0; epoch < 10; epoch++)
        {
            var order = new Permutation(n, seed: 5, epoch);
            double[] x = [.. Enumerable.Range(0, count).Select(i => (double)order.At(i) / n)];
            double[] place = [.. Enumerable.Range(0, count).Select(i => (double)i)];
            CheckSmall(Correlation(place, x), $"value and place, n {n}, epoch {epoch}");
            foreach (int lag in new[] { 1, 2, 3, 16, 100, 128 })
                CheckSmall(Correlation(x[..^lag], x[lag..]), $"lag {lag}, n {n}, epoch {epoch}");

            // Sixteen equal bins: 625 each, standard deviation 24.
            int[] bins = new int[16];
            foreach (double value in x)
                bins[(int)(value * 16)]++;
            Assert.All(bins, bin => Assert.InRange(bin, 500, 750));
        }
    }

    [Fact]
    public void Constructor_RefusesBadCounts()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Permutation(0, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Permutation(-5, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Permutation(Permutation.MaxCount + 1, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Permutation(10, 1, 0).At(10));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Permutation(10, 1, 0).At(-1));
    }

    private static void CheckSmall(double correlation, string what) =>
        Assert.True(Math.Abs(correlation) <= 0.05, $"{what}: correlation {correlation}");

    private static double Correlation(double[] a, double[] b)
    {
        double meanA = a.Average(), meanB = b.Average(), ab = 0, aa = 0, bb = 0;
        for (int i = 0; i < a.Length; i++)
        {
            ab += (a[i] - meanA) * (b[i] - meanB);
            aa += (a[i] - meanA) * (a[i] - meanA);
            bb += (b[i] - meanB) * (b[i] - meanB);
        }

        return ab / Math.Sqrt(aa * bb);
    }
}
