using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class GeluTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const double Tolerance = 2e-6;

    [Theory]
    [InlineData(1, 7)]
    [InlineData(7, 31)]
    [InlineData(33, 65)]
    [InlineData(128, 1000)]
    public void ForwardAndBackward_MatchReference(int rows, int c)
    {
        TestTensor x = Random((rows, c), scale: 3), dy = Random((rows, c)), y = Output((rows, c)),
            dx = Output((rows, c));
        var expected = ReferenceOps.GeluBackward(dy.Doubles(), x.Doubles());

        Run(() => Backend.Gelu(x, y), y);
        Run(() => Backend.GeluBackward(dy, x, dx), dx);
        Close("y", ReferenceOps.Gelu(x.Doubles()), y, Tolerance);
        Close("dx", expected, dx, Tolerance);

        Run(() => Backend.GeluBackward(dy, x, dy), dy);
        Compare.SameBits("dx in place", dx.Floats(), dy.Floats());
    }

    /// <summary>Far from zero it is the identity on one side and zero on the other, without overflow between.</summary>
    [Fact]
    public void Extremes()
    {
        float[] large = [20, 100, 1e4f, 1e10f, 1e12f];
        TestTensor x = Of(10, [.. large, .. large.Select(v => -v)]), dy = Of(10, Enumerable.Repeat(1f, 10).ToArray()),
            y = Output(10), dx = Output(10);
        Run(() => Backend.Gelu(x, y), y);
        Run(() => Backend.GeluBackward(dy, x, dx), dx);
        Close("y", [.. large.Select(v => (double)v), 0, 0, 0, 0, 0], y, 1e-6);
        Assert.All(y.Floats()[5..], v => Assert.Equal(0, v));
        Assert.All(dx.Floats()[..5], v => Assert.Equal(1, v));
        Assert.All(dx.Floats()[5..], v => Assert.Equal(0, v));
    }

    [Fact]
    public void NaNStaysNaN()
    {
        TestTensor x = Of(3, [1, float.NaN, 2]), y = Output(3);
        Run(() => Backend.Gelu(x, y), y);
        Assert.Equal([false, true, false], y.Floats().Select(float.IsNaN));
    }
}
