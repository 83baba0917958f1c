using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class FillTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(1, 0f)]
    [InlineData(31, -1.5f)]
    [InlineData(200000, 0f)]
    public void SetsEveryElement(int count, float value)
    {
        var x = Output(count);
        Run(() => Backend.Fill(x, value), x);
        Assert.All(x.Floats(), v => Assert.Equal(value, v));
    }
}
