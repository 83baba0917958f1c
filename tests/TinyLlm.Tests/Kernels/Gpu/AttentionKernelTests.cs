using TinyLlm.Kernels;
using TinyLlm.Tests.Kernels.Ops;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// Attention in few groups, around the edges of the kernels' tiles: 64 queries, keys and columns, 32 deep; queries one
/// by one up to 16 of them.
/// </summary>
public abstract class AttentionKernelTests<TDevice> : AttentionChecks<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(2, 3, 2, 1, 5, DType.F32)]
    [InlineData(1, 5, 1, 1, 40, DType.BF16)]
    [InlineData(2, 17, 4, 2, 8, DType.F32)]
    [InlineData(1, 33, 2, 1, 40, DType.BF16)]
    [InlineData(1, 65, 1, 1, 33, DType.F32)]
    [InlineData(1, 18, 1, 1, 65, DType.F32)]
    [InlineData(1, 12, 1, 1, 257, DType.F32)]
    public void Causal(int b, int t, int h, int hkv, int d, DType dtype) =>
        Check(new AttentionSizes(b, t, t, h, hkv, d), dtype: dtype);

    [Theory]
    [InlineData(1, 7, 1, 1, 6, 0.3f)]
    [InlineData(1, 66, 1, 1, 8, 0.3f)]
    [InlineData(1, 129, 1, 1, 4, 0)]
    public void DocumentStarts(int b, int t, int h, int hkv, int d, float dropout)
    {
        int length = t / 3 + 1;
        Check(new AttentionSizes(b, t, t, h, hkv, d),
            starts: [.. Enumerable.Range(0, b * t).Select(n => n % t / length * length)], dropout: dropout);
    }

    /// <summary>
    /// Queries against a cache that holds another number of keys in each row; in the last some queries have passed its
    /// end.
    /// </summary>
    [Theory]
    [InlineData(1, 260, 1, 1, 33, 0.2f)]
    [InlineData(3, 20, 1, 1, 130, 0)]
    [InlineData(20, 90, 1, 1, 16, 0.2f)]
    public void Offsets(int tq, int tk, int h, int hkv, int d, float dropout) =>
        Check(new AttentionSizes(3, tq, tk, h, hkv, d), offsets: [tk - tq, 1, tk - tq + tq / 2],
            starts: [.. Enumerable.Range(0, 3 * tq).Select(n => n % tq / 2)], dropout: dropout);

    /// <summary>
    /// A query whose document starts behind it sees no key: it gives zeros and -infinity, and no gradient.
    /// </summary>
    [Theory]
    [InlineData(5)]
    [InlineData(20)]
    public void NoKey(int t)
    {
        const int d = 6, blind = 2;
        TestTensor q = Random((1, t, 1, d)), k = Random((1, t, 1, d)), v = Random((1, t, 1, d)),
            output = Output((1, t, 1, d)), logSumExp = Output((1, 1, t));
        TestTensor starts = Integers((1, t), [.. Enumerable.Range(0, t).Select(i => i == blind ? t : 0)]);
        TestTensor dOutput = Random((1, t, 1, d)), dq = Output((1, t, 1, d)), dk = Output((1, t, 1, d)),
            dv = Output((1, t, 1, d));
        var mask = new AttentionMask(Starts: starts);
        Run(() => Backend.Attention(q, k, v, output, logSumExp, mask), output, logSumExp);
        Run(() => Backend.AttentionBackward(dOutput, q, k, v, output, logSumExp, dq, dk, dv, mask), dq, dk, dv);

        Assert.Equal(
            Enumerable.Range(0, t).Select(i => i == blind), logSumExp.Floats().Select(float.IsNegativeInfinity));
        Assert.Equal(new float[d], output.Slice(1, blind, 1).Floats());
        Assert.Equal(new float[d], dq.Slice(1, blind, 1).Floats());
        Assert.All([.. dq.Floats(), .. dk.Floats(), .. dv.Floats()], value => Assert.True(float.IsFinite(value)));
    }

    /// <summary>
    /// Scores of some hundreds, whose largest comes first or last: each tile scales down what came before, or comes to
    /// nothing.
    /// </summary>
    [Theory]
    [InlineData(70, true)]
    [InlineData(70, false)]
    [InlineData(2, true)]
    [InlineData(2, false)]
    public void LargeScores(int queries, bool rising)
    {
        const int keys = 300, d = 16;
        var s = new AttentionSizes(1, queries, keys, 1, 1, d);
        TestTensor q = Of((1, queries, 1, d), Enumerable.Repeat(1f, queries * d).ToArray()),
            k = Random((1, keys, 1, d)), v = Random((1, keys, 1, d));
        TestTensor output = Output((1, queries, 1, d)), logSumExp = Output((1, 1, queries)),
            offsets = Integers(1, keys - queries);
        k.Set(k.Floats().Select((x, i) => x + 0.3f * (rising ? i / d : keys - i / d)).ToArray());
        var expected = ReferenceOps.Attention(q.Doubles(), k.Doubles(), v.Doubles(), s, offsets: [keys - queries]);
        Run(() => Backend.Attention(q, k, v, output, logSumExp, new AttentionMask(offsets)), output, logSumExp);

        // Scores of 300 carry an error of 1e-5, which the exponential makes relative.
        Close("output", expected.Output, output, 5e-5);
        Close("logSumExp", expected.LogSumExp, logSumExp, Tolerance);
    }
}
