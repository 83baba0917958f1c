using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public static class AttentionCases
{
    /// <summary>
    /// B, T, H, Hkv, D: head sizes around the vectors, groups of 1, 2 and 4, lengths around the blocks of 64.
    /// </summary>
    public static TheoryData<int, int, int, int, int> All => new()
    {
        { 1, 1, 1, 1, 1 }, { 2, 7, 4, 1, 2 }, { 1, 31, 2, 2, 8 }, { 2, 33, 4, 2, 32 }, { 1, 64, 2, 1, 33 },
            { 2, 65, 2, 2, 64 }, { 1, 128, 4, 1, 65 }, { 1, 130, 1, 1, 128 }, { 1, 200, 4, 2, 16 },
    };
}

public abstract class AttentionTests<TDevice> : AttentionChecks<TDevice> where TDevice : IDevice
{

    [Theory]
    [MemberData(nameof(AttentionCases.All), MemberType = typeof(AttentionCases))]
    public void Causal_MatchesReference(int b, int t, int h, int hkv, int d) =>
        Check(new AttentionSizes(b, t, t, h, hkv, d));

    [Theory]
    [MemberData(nameof(AttentionCases.All), MemberType = typeof(AttentionCases))]
    public void DocumentStarts_MatchReference(int b, int t, int h, int hkv, int d)
    {
        // Documents of about a third of the row, cut elsewhere in each row; the last block of queries may see no key of
        // the first.
        int length = t / 3 + 1;
        var starts = Enumerable.Range(0, b * t).Select(n => Math.Max(0, (n % t + n / t) / length * length - n / t))
            .ToArray();
        Check(new AttentionSizes(b, t, t, h, hkv, d), starts: starts);
    }

    [Theory]
    [MemberData(nameof(AttentionCases.All), MemberType = typeof(AttentionCases))]
    public void Dropout_MatchesReference(int b, int t, int h, int hkv, int d) =>
        Check(new AttentionSizes(b, t, t, h, hkv, d), dropout: 0.2f);

    /// <summary>
    /// Decoding and chunked prefill: some queries against a cache that holds another number of keys in each row, and
    /// NaN behind them.
    /// </summary>
    [Theory]
    [InlineData(1, 9, 2, 1, 8, 0)]
    [InlineData(1, 200, 4, 2, 64, 0)]
    [InlineData(1, 131, 4, 1, 33, 0)]
    [InlineData(5, 70, 4, 2, 33, 0)]
    [InlineData(66, 200, 2, 2, 16, 0)]
    [InlineData(66, 200, 2, 1, 16, 0.3f)]
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
    [InlineData(true)]
    [InlineData(false)]
    public void LargeScores(bool rising)
    {
        const int t = 200, d = 16;
        var s = new AttentionSizes(1, t, t, 1, 1, d);
        TestTensor q = Random((1, t, 1, d)), k = Random((1, t, 1, d)), v = Random((1, t, 1, d)),
            output = Output((1, t, 1, d)), logSumExp = Output((1, 1, t));
        q.Set(Enumerable.Repeat(1f, t * d).ToArray());
        k.Set(k.Floats().Select((x, i) => x + 0.3f * (rising ? i / d : t - i / d)).ToArray());
        var expected = ReferenceOps.Attention(q.Doubles(), k.Doubles(), v.Doubles(), s);
        Run(() => Backend.Attention(q, k, v, output, logSumExp), output, logSumExp);

        // Scores of 240 carry an error of 1e-5, which the exponential makes relative.
        Close("output", expected.Output, output, 5e-5);
        Close("logSumExp", expected.LogSumExp, logSumExp, Tolerance);
    }

    /// <summary>The mask of a batch of two micro-batches is that of the micro-batches, one after another.</summary>
    [Fact]
    public void Dropout_OfMicroBatchesIsThatOfTheLargeBatch()
    {
        const int t = 9, h = 2, d = 8;
        TestTensor q = Random((4, t, h, d)), k = Random((4, t, h, d)), v = Random((4, t, h, d)),
            large = Output((4, t, h, d)), small = Output((4, t, h, d));
        TestTensor logSumExp = Output((4, h, t)), logSumExpSmall = Output((4, h, t)), whole = State(Seed, Step, 0),
            first = State(Seed, Step, 0), second = State(Seed, Step, 1);
        Run(() => Backend.Attention(q, k, v, large, logSumExp, default, new AttentionDropout(0.5f, whole, Site)), large,
            logSumExp);
        Run(() =>
        {
            Half(0, first);
            Half(2, second);
        }, small, logSumExpSmall);
        Compare.SameBits("output", large.Floats(), small.Floats());

        void Half(int start, TestTensor state) =>
            Backend.Attention(q.Slice(0, start, 2), k.Slice(0, start, 2), v.Slice(0, start, 2),
                small.Slice(0, start, 2), logSumExpSmall.Slice(0, start, 2), default,
                new AttentionDropout(0.5f, state, Site));
    }
}
