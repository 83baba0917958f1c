using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class DropoutTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const ulong Seed = 0xFEDCBA9876543210;

    [Theory]
    [InlineData(1, 0.5f, 0, 0, 0)]
    [InlineData(7, 0.1f, 1, 2, 3)]
    [InlineData(33, 0f, 1, 2, 3)]
    [InlineData(1001, 0.2f, 1000000, 5, 12)]
    [InlineData(40000, 0.001f, 3, 1, 1)]
    [InlineData(40001, 0.9f, 3, 7, 255)]
    public void Forward_MatchesReference(int count, float probability, int step, int microStep, int site)
    {
        TestTensor x = Random(count, mean: 3), state = State(Seed, step, microStep), y = Output(count);
        var expected = ReferenceOps.Multiply(
            x.Doubles(), ReferencePhilox.DropoutMask(count, probability, Seed, step, microStep, site));

        Run(() => Backend.Dropout(x, y, probability, state, site), y);
        Close("y", expected, y, 5e-7);
        Assert.Equal(expected.Select(v => v == 0), y.Floats().Select(v => v == 0));

        Run(() => Backend.Dropout(x, x, probability, state, site), x);
        Compare.SameBits("in place", y.Floats(), x.Floats());
    }

    /// <summary>
    /// A large micro-step times a large tensor passes 2^32: the number of the element is a 64-bit one.
    /// </summary>
    [Fact]
    public void Forward_CountsBeyond32Bits()
    {
        const int count = 3001, microStep = 2_000_000_000;
        TestTensor x = Random(count), state = State(Seed, 1, microStep), y = Output(count);
        Run(() => Backend.Dropout(x, y, 0.5f, state, 2), y);
        Close("y", ReferenceOps.Multiply(x.Doubles(), ReferencePhilox.DropoutMask(count, 0.5f, Seed, 1, microStep, 2)),
            y, 5e-7);
    }

    [Theory]
    [InlineData(0.1f)]
    [InlineData(0.5f)]
    [InlineData(0.9f)]
    public void KeepRate_IsThatAskedFor(float probability)
    {
        const int count = 100000;
        var y = Ones(count, probability, State(Seed, 3, 0), 4);

        // Five standard deviations of the binomial distribution.
        double kept = y.Count(v => v != 0) / (double)count,
            deviation = Math.Sqrt(probability * (1 - probability) / count);
        Assert.InRange(kept, 1 - probability - 5 * deviation, 1 - probability + 5 * deviation);
        Assert.InRange(y.Average(), 1 - 5 * deviation / (1 - probability), 1 + 5 * deviation / (1 - probability));
    }

    [Fact]
    public void Mask_IsAFunctionOfSeedStepSiteAndMicroStepAlone()
    {
        const int count = 1000;
        float[] Mask(ulong seed, int step, int microStep, int site) =>
            Ones(count, 0.5f, State(seed, step, microStep), site);
        var mask = Mask(Seed, 3, 2, 4);
        Assert.Equal(mask, Mask(Seed, 3, 2, 4));
        Assert.NotEqual(mask, Mask(Seed + 1, 3, 2, 4));
        Assert.NotEqual(mask, Mask(Seed + (1UL << 40), 3, 2, 4));
        Assert.NotEqual(mask, Mask(Seed, 4, 2, 4));
        Assert.NotEqual(mask, Mask(Seed, 3, 3, 4));
        Assert.NotEqual(mask, Mask(Seed, 3, 2, 5));
    }

    [Theory]
    [InlineData(4, 5)]
    [InlineData(3, 333)]
    public void MicroBatches_ConcatenateToTheLargeBatch(int parts, int count)
    {
        var large = Ones(parts * count, 0.3f, State(Seed, 9, 0), 4);
        var small = Enumerable.Range(0, parts).SelectMany(part => Ones(count, 0.3f, State(Seed, 9, part), 4));
        Assert.Equal(large, small);
    }

    private float[] Ones(int count, float probability, TestTensor state, int site)
    {
        TestTensor x = Of(count, Enumerable.Repeat(1f, count).ToArray()), y = Output(count);
        Run(() => Backend.Dropout(x, y, probability, state, site), y);
        return y.Floats();
    }
}
