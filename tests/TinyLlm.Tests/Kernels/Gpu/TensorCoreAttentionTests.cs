using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// The tensor-core attention kernels, as ILGPU compiles them, on the PTX machine, against the double-precision
/// reference on the same bf16 numbers.
/// </summary>
public sealed class TensorCoreAttentionTests
{
    // Probabilities and results are rounded to bf16, 2^-9; gradients pass through dS as well.
    private const double Tolerance = 3e-3, GradientTolerance = 4e-3, LogSumExpTolerance = 1e-6;
    private const ulong Seed = 0xFEDCBA9876543210;
    private const int Step = 5, MicroStep = 3, Site = 11;

    /// <summary>
    /// B, T, H, Hkv, D: lengths around the tiles of 32, 64 and 128, head sizes that fill a kernel's and that do not,
    /// groups of 1, 2 and 4.
    /// </summary>
    public static TheoryData<int, int, int, int, int> Cases => new()
    {
        { 1, 1, 1, 1, 64 }, { 2, 9, 2, 1, 64 }, { 1, 63, 1, 1, 32 }, { 1, 64, 2, 2, 64 }, { 1, 65, 2, 1, 128 },
            { 1, 130, 4, 1, 64 }, { 1, 200, 2, 1, 64 }, { 1, 200, 1, 1, 128 },
        { 1, 70, 2, 2, 16 }, { 1, 33, 1, 1, 40 }, { 1, 97, 1, 1, 96 }, { 1, 257, 1, 1, 32 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Causal_MatchesReference(int b, int t, int h, int hkv, int d) =>
        Check(new AttentionSizes(b, t, t, h, hkv, d));

    /// <summary>
    /// Lengths whose draws start anywhere within the generator's fours, and some that are multiples of 4.
    /// </summary>
    [Theory]
    [InlineData(2, 9, 2, 1, 64)]
    [InlineData(1, 66, 2, 2, 32)]
    [InlineData(1, 128, 2, 1, 64)]
    [InlineData(1, 131, 1, 1, 128)]
    public void Dropout_MatchesReference(int b, int t, int h, int hkv, int d) =>
        Check(new AttentionSizes(b, t, t, h, hkv, d), dropout: 0.2f);

    [Theory]
    [InlineData(2, 31, 2, 1, 64, 0)]
    [InlineData(1, 200, 2, 1, 64, 0)]
    [InlineData(2, 150, 1, 1, 128, 0.3f)]
    public void DocumentStarts_MatchReference(int b, int t, int h, int hkv, int d, float dropout)
    {
        // Documents of about a third of the row, cut elsewhere in each row; the last queries see no key of the first
        // tiles.
        int length = t / 3 + 1;
        var starts = Enumerable.Range(0, b * t).Select(n => Math.Max(0, (n % t + n / t) / length * length - n / t))
            .ToArray();
        Check(new AttentionSizes(b, t, t, h, hkv, d), starts: starts, dropout: dropout);
    }

    /// <summary>
    /// Chunked prefill: some queries against a cache that holds another number of keys in each row, and NaN behind
    /// them.
    /// </summary>
    [Theory]
    [InlineData(5, 70, 4, 2, 64, 0)]
    [InlineData(66, 200, 2, 1, 32, 0)]
    [InlineData(66, 200, 1, 1, 128, 0.3f)]
    public void Offsets_MatchReference(int tq, int tk, int h, int hkv, int d, float dropout)
    {
        var s = new AttentionSizes(3, tq, tk, h, hkv, d);
        Check(s, offsets: [tk - tq, 0, (tk - tq) / 2], dropout: dropout);
        Check(s, offsets: [0, 1, tk - tq],
            starts: [.. Enumerable.Range(0, 3 * tq).Select(n => n / tq == 2 ? (tk - tq) / 2 : 0)], dropout: dropout);
    }

    /// <summary>
    /// Scores of some hundreds: the online softmax must subtract the maximum, and move to a larger one that comes
    /// later.
    /// </summary>
    [Theory]
    [InlineData(64, true)]
    [InlineData(64, false)]
    [InlineData(128, true)]
    public void LargeScores(int d, bool rising)
    {
        const int T = 200;
        var s = new AttentionSizes(1, T, T, 1, 1, d);
        var random = new RandomValues(11);
        BFloatHeads q = BFloatHeads.Random(random, 1, T, 1, d), k = BFloatHeads.Random(random, 1, T, 1, d),
            v = BFloatHeads.Random(random, 1, T, 1, d);
        BFloatHeads output = BFloatHeads.Poisoned(1, T, 1, d);
        q.Set([.. Enumerable.Repeat(1.0, T * d)]);
        k.Set([.. k.Doubles().Select((x, i) => x + 0.3 * (rising ? i / d : T - i / d))]);
        var expected = ReferenceOps.Attention(q.Doubles(), k.Doubles(), v.Doubles(), s);
        float[] logSumExp = new AttentionOnPtx(s, q, k, v, null, null, 0, Site, new int[8]).Forward(output);
        Compare.Close("output", expected.Output, output.Floats(), (1, T, 1, d), Tolerance, 11);
        Compare.Close("logSumExp", expected.LogSumExp, logSumExp, (1, 1, T), LogSumExpTolerance, 11);
    }

    /// <summary>
    /// A query that sees no key, as padding may, gives zeros and has no part in any gradient; a NaN would spread.
    /// </summary>
    [Fact]
    public void QueriesWithoutKeys_GiveZeros()
    {
        const int T = 150, Blind = 140, D = 64;
        var s = new AttentionSizes(1, T, T, 1, 1, D);
        var random = new RandomValues(7);
        BFloatHeads q = BFloatHeads.Random(random, 1, T, 1, D), k = BFloatHeads.Random(random, 1, T, 1, D),
            v = BFloatHeads.Random(random, 1, T, 1, D);
        BFloatHeads dOutput = BFloatHeads.Random(random, 1, T, 1, D);
        BFloatHeads output = BFloatHeads.Poisoned(1, T, 1, D), dq = BFloatHeads.Poisoned(1, T, 1, D),
            dk = BFloatHeads.Poisoned(1, T, 1, D), dv = BFloatHeads.Poisoned(1, T, 1, D);
        var run = new AttentionOnPtx(
            s, q, k, v, null, [.. Enumerable.Range(0, T).Select(i => i < 128 ? T : i < Blind ? i + 1 : 0)], 0, Site,
            new int[8]);
        float[] logSumExp = run.Forward(output);
        run.Backward(dOutput, output, logSumExp, dq, dk, dv);

        Assert.All(output.Floats().Take(Blind * D), x => Assert.Equal(0, x));
        Assert.All(logSumExp.Take(Blind), x => Assert.Equal(float.NegativeInfinity, x));
        Assert.All(dq.Floats().Take(Blind * D), x => Assert.Equal(0, x));

        // The others' values are those that they have alone.
        var alone = new AttentionSizes(1, T - Blind, T, 1, 1, D);
        double[] seeing = [.. q.Doubles().Skip(Blind * D)], dSeeing = [.. dOutput.Doubles().Skip(Blind * D)];
        var expected = ReferenceOps.Attention(seeing, k.Doubles(), v.Doubles(), alone, [Blind]);
        var (expectedQ, expectedK, expectedV) =
            ReferenceOps.AttentionBackward(dSeeing, seeing, k.Doubles(), v.Doubles(), alone, [Blind]);
        Compare.Close("output", expected.Output, output.Floats().AsSpan(Blind * D), (1, T - Blind, 1, D), Tolerance, 7);
        Compare.Close("dq", expectedQ, dq.Floats().AsSpan(Blind * D), (1, T - Blind, 1, D), GradientTolerance, 7);
        Compare.Close("dk", expectedK, dk.Floats(), (1, T, 1, D), GradientTolerance, 7);
        Compare.Close("dv", expectedV, dv.Floats(), (1, T, 1, D), Tolerance, 7);
    }

    /// <summary>Rows whose last queries are padding: they come after the last key.</summary>
    [Theory]
    [InlineData(64)]
    [InlineData(128)]
    public void OffsetsPastTheKeys_SeeAllKeys(int d) =>
        Check(new AttentionSizes(3, 70, 100, 1, 1, d), offsets: [60, 30, 95]);

    private static void Check(AttentionSizes s, int[]? offsets = null, int[]? starts = null, float dropout = 0)
    {
        int seed = HashCode(s);
        var random = new RandomValues(seed);

        // Queries, keys and values are heads of a stacked projection, or, with offsets, the keys and values parts of a
        // longer cache.
        BFloatHeads stacked = BFloatHeads.Random(random, s.B, s.Tq, s.H + 2 * s.Hkv, s.D),
            gradients = BFloatHeads.Poisoned(s.B, s.Tq, s.H + 2 * s.Hkv, s.D);
        BFloatHeads q = stacked.Heads(0, s.H), k = stacked.Heads(s.H, s.Hkv), v = stacked.Heads(s.H + s.Hkv, s.Hkv);
        BFloatHeads dq = gradients.Heads(0, s.H), dk = gradients.Heads(s.H, s.Hkv),
            dv = gradients.Heads(s.H + s.Hkv, s.Hkv);
        if (offsets is not null)
        {
            (k, v) = (BFloatHeads.Random(random, s.B, s.Tk + 3, s.Hkv, s.D).Tokens(0, s.Tk),
                BFloatHeads.Random(random, s.B, s.Tk + 3, s.Hkv + 1, s.D).Tokens(1, s.Tk).Heads(1, s.Hkv));
            (dk, dv) = (BFloatHeads.Poisoned(s.B, s.Tk, s.Hkv + 2, s.D).Heads(1, s.Hkv),
                BFloatHeads.Poisoned(s.B, s.Tk, s.Hkv, s.D));
        }

        BFloatHeads dOutput = BFloatHeads.Random(random, s.B, s.Tq, s.H, s.D),
            output = BFloatHeads.Poisoned(s.B, s.Tq, s.H + 1, s.D).Heads(1, s.H);
        var mask = dropout == 0 ? null
            : ReferencePhilox.DropoutMask((long)s.B * s.H * s.Tq * s.Tk, dropout, Seed, Step, MicroStep, Site);
        double[] qs = q.Doubles(), ks = k.Doubles(), vs = v.Doubles();
        var expected = ReferenceOps.Attention(qs, ks, vs, s, offsets, starts, mask);
        var (expectedQ, expectedK, expectedV) =
            ReferenceOps.AttentionBackward(dOutput.Doubles(), qs, ks, vs, s, offsets, starts, mask);
        for (int b = 0; offsets is not null && b < s.B; b++)
        {
            k.Poison(b, offsets[b] + s.Tq);
            v.Poison(b, offsets[b] + s.Tq);
        }

        var run = new AttentionOnPtx(
            s, q, k, v, offsets, starts, dropout, Site,
            [unchecked((int)Seed), unchecked((int)(Seed >> 32)), Step, MicroStep, 0, 0, 0, 0]);
        float[] logSumExp = run.Forward(output);
        Assert.True(output.IsPoisonedAround(), "The forward pass wrote around its output.");
        Compare.Close("output", expected.Output, output.Floats(), (s.B, s.Tq, s.H, s.D), Tolerance, seed);
        Compare.Close("logSumExp", expected.LogSumExp, logSumExp, (s.B, s.H, s.Tq), LogSumExpTolerance, seed);

        // The backward pass on what a perfect forward pass would have given, so that each is judged alone.
        output.Set(expected.Output);
        run.Backward(dOutput, output, [.. expected.LogSumExp.Select(x => (float)x)], dq, dk, dv);
        Assert.True(
            offsets is null
            || (dk.IsPoisonedAround() && dv.IsPoisonedAround()), "The backward pass wrote around its gradients.");

        // A lone key has probability 1 whatever q and k are: their gradients are rounding errors around zero.
        if (s.Tk > 1)
        {
            Compare.Close("dq", expectedQ, dq.Floats(), (s.B, s.Tq, s.H, s.D), GradientTolerance, seed);
            Compare.Close("dk", expectedK, dk.Floats(), (s.B, s.Tk, s.Hkv, s.D), GradientTolerance, seed);
        }

        Compare.Close("dv", expectedV, dv.Floats(), (s.B, s.Tk, s.Hkv, s.D), Tolerance, seed);
    }

    private static int HashCode(AttentionSizes s) =>
        ((((s.B * 31 + s.Tq) * 31 + s.Tk) * 31 + s.H) * 31 + s.Hkv) * 31 + s.D;
}
