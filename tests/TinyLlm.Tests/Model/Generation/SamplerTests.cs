using TinyLlm.Model;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

public sealed class SamplerTests
{
    private const float NegativeInfinity = float.NegativeInfinity;

    // Naive filtering in double precision: sort all, apply one filter after the other, renormalise each time.
    private static double[] Reference(float[] logits, int[] history, SamplerSettings s)
    {
        double[] z = [.. logits.Select(x => (double)x)];
        foreach (int id in history.Distinct())
            z[id] = z[id] > 0 ? z[id] / s.RepetitionPenalty : z[id] * s.RepetitionPenalty;
        int[] order = [.. Enumerable.Range(0, z.Length).OrderByDescending(id => z[id]).ThenBy(id => id)];
        double[] p = [.. order.Select(id => Math.Exp((z[id] - z[order[0]]) / s.Temperature))];
        if (s.TopK > 0)
            p = [.. p.Take(s.TopK)];
        p = Normalise(p);
        if (s.TopP < 1)
        {
            double sum = 0;
            int kept = 0;
            while (kept < p.Length && sum < s.TopP)
                sum += p[kept++];
            p = Normalise(p[..Math.Max(kept, 1)]);
        }

        p = Normalise([.. p.Select(x => x >= s.MinP * p[0] ? x : 0)]);
        double[] result = new double[z.Length];
        for (int i = 0; i < p.Length; i++)
            result[order[i]] = p[i];
        return result;
    }

    private static double[] Normalise(double[] p)
    {
        double sum = p.Sum();
        return [.. p.Select(x => x / sum)];
    }

    private static int[] Count(Sampler sampler, float[] logits, int[] history, int draws)
    {
        int[] counts = new int[logits.Length];
        for (int draw = 0; draw < draws; draw++)
            counts[sampler.Next(logits, history)]++;
        return counts;
    }

    [Theory]
    [InlineData(1f, 0, 1f, 0f, 1f)]
    [InlineData(0.7f, 0, 1f, 0f, 1f)]
    [InlineData(2.5f, 0, 1f, 0f, 1f)]
    [InlineData(1f, 5, 1f, 0f, 1f)]
    [InlineData(1f, 11, 1f, 0f, 1f)]
    [InlineData(1f, 100, 1f, 0f, 1f)]
    [InlineData(1f, 0, 0.9f, 0f, 1f)]
    [InlineData(1f, 0, 0.3f, 0f, 1f)]
    [InlineData(1f, 0, 0.9999f, 0f, 1f)]
    [InlineData(1f, 0, 1f, 0.1f, 1f)]
    [InlineData(1f, 0, 1f, 1f, 1f)]
    [InlineData(1f, 0, 1f, 0f, 1.5f)]
    [InlineData(1f, 0, 1f, 0f, 0.5f)]
    [InlineData(1.5f, 8, 0.8f, 0.05f, 1.2f)]
    [InlineData(0.8f, 4, 0.95f, 0.2f, 1.3f)]
    [InlineData(0.8f, 0, 0.95f, 0.2f, 1.3f)]
    public void Next_FollowsTheReference(float temperature, int topK, float topP, float minP, float penalty)
    {
        var settings = new SamplerSettings
        {
            Temperature = temperature,
            TopK = topK,
            TopP = topP,
            MinP = minP,
            RepetitionPenalty = penalty
        };
        const int draws = 20_000, vocabulary = 12;
        for (int seed = 0; seed < 5; seed++)
        {
            var random = new Random(seed);
            float[] logits = [.. Enumerable.Range(0, vocabulary).Select(_ => (float)(random.NextDouble() * 6 - 3))];
            int[] history = [3, 0, 3, 3, 7, 0];
            double[] expected = Reference(logits, history, settings);
            int[] counts = Count(new Sampler(settings, (ulong)seed, vocabulary), logits, history, draws);

            // Pearson's statistic has mean and half its variance equal to the degrees of freedom, at most 11.
            double chiSquare = 0;
            for (int id = 0; id < vocabulary; id++)
            {
                if (expected[id] == 0)
                {
                    Assert.True(
                        counts[id] == 0, $"seed {seed}: token {id} is filtered out, and was drawn {counts[id]} times");
                }
                else
                    chiSquare += Math.Pow(counts[id] - draws * expected[id], 2) / (draws * expected[id]);
            }

            Assert.True(chiSquare <= 40, $"seed {seed}: chi-square {chiSquare}; counts {string.Join(' ', counts)}; "
                + $"expected {string.Join(' ', expected.Select(p => $"{p * draws:F1}"))}");
        }
    }

    // A vocabulary as large as a real one, where the heap has many levels.
    [Theory]
    [InlineData(50, 1f)]
    [InlineData(0, 0.5f)]
    [InlineData(1000, 0.9f)]
    public void Next_OfManyTokens_StaysWithinTheReferencesSet(int topK, float topP)
    {
        var settings = new SamplerSettings { TopK = topK, TopP = topP };
        var random = new Random(1);
        // With many ties
        float[] logits = [.. Enumerable.Range(0, 50_000).Select(_ => (float)Math.Round(random.NextDouble() * 12, 2))];
        double[] expected = Reference(logits, [], settings);
        int[] counts = Count(new Sampler(settings, 5, logits.Length), logits, [], 300);
        Assert.Equal(300, counts.Sum());
        Assert.All(Enumerable.Range(0, counts.Length).Where(id => counts[id] > 0),
            id => Assert.True(expected[id] > 0, $"token {id}"));

        // The draws spread over the set: as many fall on its even ids as these have mass, give or take three
        // deviations.
        double even = expected.Where((_, id) => id % 2 == 0).Sum();
        int drawn = counts.Where((_, id) => id % 2 == 0).Sum();
        Assert.InRange(drawn, 300 * even - 26, 300 * even + 26);
    }

    [Fact]
    public void Next_Greedy_IsTheFirstLargest()
    {
        var sampler = new Sampler(new SamplerSettings { Temperature = 0 }, 1, 5);
        Assert.Equal(2, sampler.Next([0, 1, 3, 3, -5], []));
        Assert.Equal(0, sampler.Next([2, 2, 2, 2, 2], []));
        Assert.Equal(4, sampler.Next([NegativeInfinity, -9, -8, -9, -7], []));
        Assert.Equal(0, sampler.Next([-0f, 0f, -0f, 0f, -1], []));
        Assert.Equal(4UL, sampler.Draws);
    }

    [Fact]
    public void Next_GreedyWithPenalty_AppliesOnceToEachId()
    {
        var sampler = new Sampler(new SamplerSettings { Temperature = 0, RepetitionPenalty = 2 }, 1, 3);
        Assert.Equal(0, sampler.Next([3, 1.4f, -1], [0, 0, 0])); // 1.5 beats 1.4; 3/8 would not
        Assert.Equal(0, sampler.Next([3, 1.4f, -1], [0, 0, 0])); // and again: no trace of the draw before
        Assert.Equal(1, sampler.Next([3, 1.6f, -1], [0]));
        Assert.Equal(1, sampler.Next([-1, -1.5f, -9], [0])); // negative: -1 becomes -2
        Assert.Equal(0, sampler.Next([-1, -2.5f, -9], [0]));
    }

    [Theory]
    [InlineData(1, 1f, 0f)]
    [InlineData(0, 1e-30f, 0f)]
    [InlineData(3, 0.01f, 0f)]
    [InlineData(1, 0.01f, 1f)]
    public void Next_NarrowFilters_KeepTheBest(int topK, float topP, float minP)
    {
        var sampler = new Sampler(new SamplerSettings { TopK = topK, TopP = topP, MinP = minP }, 9, 6);
        for (int i = 0; i < 200; i++)
        {
            Assert.Equal(4, sampler.Next([0, 1, 2, -3, 2.5f, 1], []));
            Assert.Equal(1, sampler.Next([0, 1, 1, -3, 1, 1], [])); // ties: the smaller id
        }
    }

    [Fact]
    public void Next_Ties_TopKKeepsTheSmallerIds()
    {
        int[] counts = Count(new Sampler(new SamplerSettings { TopK = 3 }, 2, 8), [1, 2, 1, 1, 1, 1, 1, -1], [], 3000);
        Assert.Equal([0, 1, 2], Enumerable.Range(0, 8).Where(id => counts[id] > 0));
        counts = Count(new Sampler(new SamplerSettings { TopP = 0.45f }, 2, 8), new float[8], [], 4000);
        // 4 * 1/8 is the first sum of at least 0.45.
        Assert.Equal([0, 1, 2, 3], Enumerable.Range(0, 8).Where(id => counts[id] > 0));
        Assert.All(counts[..4], count => Assert.InRange(count, 850, 1150));
    }

    [Theory]
    [InlineData(0, 1f, 0f)]
    [InlineData(3, 1f, 0f)]
    [InlineData(0, 0.999f, 0f)]
    [InlineData(0, 1f, 0.001f)]
    public void Next_MinusInfinity_IsNeverDrawn(int topK, float topP, float minP)
    {
        var sampler =
            new Sampler(new SamplerSettings { TopK = topK, TopP = topP, MinP = minP, RepetitionPenalty = 1.1f }, 3, 5);
        int[] counts = Count(sampler, [NegativeInfinity, 0, NegativeInfinity, 0, NegativeInfinity], [0, 1, 3], 1000);
        Assert.Equal([0, 0, 0], new[] { counts[0], counts[2], counts[4] });
        Assert.InRange(counts[1], 400, 600);
    }

    [Fact]
    public void Next_ExtremeValues_GiveNoNaN()
    {
        var cold = new Sampler(new SamplerSettings { Temperature = float.Epsilon }, 3, 3);
        var hot = new Sampler(new SamplerSettings { Temperature = float.MaxValue, TopP = 0.99f }, 3, 3);
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(1, cold.Next([float.MinValue, float.MaxValue, 0], []));
            Assert.InRange(hot.Next([float.MinValue, float.MaxValue, 0], []), 0, 2);
        }
    }

    [Fact]
    public void Next_OneToken() =>
        Assert.Equal(0, new Sampler(new SamplerSettings { TopK = 1, TopP = 0.5f }, 1, 1).Next([-3], [0]));

    // Draw n uses the same random number whatever came before: with equal logits from there on, the choices are the
    // same.
    [Fact]
    public void Next_DrawsDependOnSeedStreamAndNumberAlone()
    {
        float[] flat = new float[100], peaked = [.. Enumerable.Range(0, 100).Select(i => i / 10f)];
        int[] Run(ulong seed, uint stream, float[] first, SamplerSettings? settings = null)
        {
            var sampler = new Sampler(settings ?? new SamplerSettings(), seed, 100, stream);
            return [.. Enumerable.Range(0, 50).Select(i => sampler.Next(i < 10 ? first : flat, []))];
        }

        int[] run = Run(1, 0, flat);
        Assert.Equal(run, Run(1, 0, flat));
        Assert.Equal(run[10..], Run(1, 0, peaked)[10..]);
        Assert.NotEqual(run[..10], Run(1, 0, peaked)[..10]);
        Assert.NotEqual(run, Run(2, 0, flat));
        Assert.NotEqual(run, Run(1, 1, flat));
        Assert.NotEqual(run, Run(1UL << 32 | 1, 0, flat));
    }

    [Fact]
    public void Next_AllocatesNothing()
    {
        float[] logits = [.. Enumerable.Range(0, 1000).Select(i => MathF.Sin(i) * 5)];
        int[] history = [.. Enumerable.Range(0, 300)];
        var sampler = new Sampler(
            new SamplerSettings { TopK = 200, TopP = 0.9f, MinP = 0.01f, RepetitionPenalty = 1.1f }, 1, 1000);
        var plain = new Sampler(new SamplerSettings(), 1, 1000);
        Count(sampler, logits, history, 10);
        Count(plain, logits, history, 10);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            sampler.Next(logits, history);
            plain.Next(logits, history);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Next_NotANumber_IsRefused(float bad)
    {
        foreach (float temperature in new[] { 0f, 1f })
        {
            var sampler = new Sampler(new SamplerSettings { Temperature = temperature }, 1, 3);
            for (int place = 0; place < 3; place++)
            {
                float[] logits = new float[3];
                logits[place] = bad;
                UserError.Expect(() => sampler.Next(logits, []), $"token {place}", "checkpoint");
            }

            UserError.Expect(
                () => sampler.Next([NegativeInfinity, NegativeInfinity, NegativeInfinity], []), "minus infinity");
        }
    }

    [Fact]
    public void Next_WrongSizes_Throw()
    {
        var sampler = new Sampler(new SamplerSettings { RepetitionPenalty = 1.1f }, 1, 3);
        Assert.Throws<ArgumentException>(() => sampler.Next(new float[4], []));
        Assert.Throws<ArgumentException>(() => sampler.Next(new float[3], [3]));
        Assert.Throws<ArgumentException>(() => sampler.Next(new float[3], [-1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Sampler(new SamplerSettings(), 1, 0));
    }

    [Theory]
    [InlineData(-1f, 0, 1f, 0f, 1f, "--temperature is -1;")]
    [InlineData(float.NaN, 0, 1f, 0f, 1f, "--temperature is NaN;")]
    [InlineData(float.PositiveInfinity, 0, 1f, 0f, 1f, "--temperature is")]
    [InlineData(1f, -1, 1f, 0f, 1f, "--top-k is -1;")]
    [InlineData(1f, 0, 0f, 0f, 1f, "--top-p is 0;")]
    [InlineData(1f, 0, 1.5f, 0f, 1f, "--top-p is 1.5;")]
    [InlineData(1f, 0, float.NaN, 0f, 1f, "--top-p is NaN;")]
    [InlineData(1f, 0, 1f, -0.5f, 1f, "--min-p is -0.5;")]
    [InlineData(1f, 0, 1f, 2f, 1f, "--min-p is 2;")]
    [InlineData(1f, 0, 1f, float.NaN, 1f, "--min-p is NaN;")]
    [InlineData(1f, 0, 1f, 0f, 0f, "--repetition-penalty is 0;")]
    [InlineData(1f, 0, 1f, 0f, float.NaN, "--repetition-penalty is NaN;")]
    public void Validate_NamesTheOption(float temperature, int topK, float topP, float minP, float penalty, string part)
    {
        var settings = new SamplerSettings
        {
            Temperature = temperature,
            TopK = topK,
            TopP = topP,
            MinP = minP,
            RepetitionPenalty = penalty
        };
        UserError.Expect(() => settings.Validate(), part);
        UserError.Expect(() => new Sampler(settings, 1, 3), part);
    }
}
