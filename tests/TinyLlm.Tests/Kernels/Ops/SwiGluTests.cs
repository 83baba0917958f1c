using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class SwiGluTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const double Tolerance = 1e-6;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 31)]
    [InlineData(33, 65)]
    [InlineData(200, 128)]
    [InlineData(2, 20000)]
    public void ForwardAndBackward_MatchReference(int rows, int f)
    {
        TestTensor gateUp = Random((rows, 2 * f), scale: 3), dy = Random((rows, f)), y = Output((rows, f)),
            dGateUp = Output((rows, 2 * f));
        Run(() => Backend.SwiGlu(gateUp, y), y);
        Run(() => Backend.SwiGluBackward(dy, gateUp, dGateUp), dGateUp);
        Close("y", ReferenceOps.SwiGlu(gateUp.Doubles(), f), y, Tolerance);
        Close("dGateUp", ReferenceOps.SwiGluBackward(dy.Doubles(), gateUp.Doubles(), f), dGateUp, Tolerance);
    }

    [Fact]
    public void Extremes()
    {
        TestTensor gateUp = Of((4, 2), [100, 3, -100, 3, 1e6f, 3, -1e6f, 3]), dy = Of((4, 1), [1, 1, 1, 1]),
            y = Output((4, 1)), dGateUp = Output((4, 2));
        Run(() => Backend.SwiGlu(gateUp, y), y);
        Run(() => Backend.SwiGluBackward(dy, gateUp, dGateUp), dGateUp);
        Close("y", [300, 0, 3e6, 0], y, 1e-6);
        Close("dGateUp", [3, 100, 0, 0, 3, 1e6, 0, 0], dGateUp, 1e-6);
    }

    [Fact]
    public void NaNStaysNaN()
    {
        TestTensor gateUp = Of((3, 2), [1, 1, float.NaN, 1, 2, 2]), y = Output((3, 1));
        Run(() => Backend.SwiGlu(gateUp, y), y);
        Assert.Equal([false, true, false], y.Floats().Select(float.IsNaN));
    }
}
