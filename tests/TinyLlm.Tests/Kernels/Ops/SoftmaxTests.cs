using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class SoftmaxTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const double Tolerance = 2e-6;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 7)]
    [InlineData(9, 31)]
    [InlineData(33, 65)]
    [InlineData(3, 2000)]
    public void ForwardAndBackward_MatchReference(int rows, int c)
    {
        TestTensor x = Random((rows, c), scale: 3), y = Output((rows, c)), dy = Random((rows, c)),
            dx = Output((rows, c));
        Run(() => Backend.Softmax(x, y), y);
        Run(() => Backend.SoftmaxBackward(dy, y, dx), dx);
        Close("y", ReferenceOps.Softmax(x.Doubles(), c), y, Tolerance);

        // From the rounded y: a lone element's is exactly 1, and its gradient exactly 0.
        Close("dx", ReferenceOps.SoftmaxBackward(dy.Doubles(), y.Doubles(), c), dx, Tolerance);

        Run(() => Backend.Softmax(x, x), x);
        Run(() => Backend.SoftmaxBackward(dy, y, dy), dy);
        Compare.SameBits("y in place", y.Floats(), x.Floats());
        Compare.SameBits("dx in place", dx.Floats(), dy.Floats());
    }

    /// <summary>Work that is cut into several items on the CPU.</summary>
    [Fact]
    public void ManyRows()
    {
        TestTensor x = Random((400, 65)), y = Output((400, 65));
        Run(() => Backend.Softmax(x, y), y);
        Close("y", ReferenceOps.Softmax(x.Doubles(), 65), y, Tolerance);
    }

    /// <summary>
    /// The exponentials of thousands overflow, and those of a row of large negative numbers all vanish, unless the
    /// largest is subtracted first.
    /// </summary>
    [Theory]
    [InlineData(5000)]
    [InlineData(-5000)]
    [InlineData(-1e6)]
    public void LargeValues(double mean)
    {
        TestTensor x = Random((3, 37), mean: mean), y = Output((3, 37));
        Run(() => Backend.Softmax(x, y), y);
        Close("y", ReferenceOps.Softmax(x.Doubles(), 37), y, Tolerance);
    }

    /// <summary>
    /// Masked elements are exactly zero, at any place; a row of nothing else, or with a NaN, is NaN, and its neighbours
    /// are not.
    /// </summary>
    [Fact]
    public void InfinityAndNaN()
    {
        const int c = 21;
        const float masked = float.NegativeInfinity;
        TestTensor x = Random((5, c), scale: 3), y = Output((5, c));
        float[] values = x.Floats();
        for (int i = 0; i < c; i++)
        {
            values[i] = i % 3 == 1 ? values[i] : masked;
            values[c + i] = i == c - 1 ? values[c + i] : masked;
            values[2 * c + i] = masked;
        }

        values[3 * c + 2] = float.NaN;
        x.Set(values);
        Run(() => Backend.Softmax(x, y), y);
        var result = y.Floats();
        Close("y", ReferenceOps.Softmax(x.Slice(0, 0, 2).Doubles(), c), y.Slice(0, 0, 2), Tolerance);
        Assert.Equal(values[..(2 * c)].Select(float.IsNegativeInfinity), result[..(2 * c)].Select(v => v == 0));
        Assert.All(result[(2 * c)..(4 * c)], v => Assert.Equal(float.NaN, v));
        Close("y", ReferenceOps.Softmax(x.Slice(0, 4, 1).Doubles(), c), y.Slice(0, 4, 1), Tolerance);
    }
}
