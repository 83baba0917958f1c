using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class SumSquaresTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(33)]
    [InlineData(257)]
    [InlineData(100001)]
    public void Forward_MatchesReference(int count)
    {
        TestTensor x = Random(count), sum = Output(1);
        Run(() => Backend.SumSquares(x, sum), sum);
        Close("sum", [ReferenceOps.SumSquares(x.Doubles())], sum, 5e-7);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Forward_ShowsANotFiniteElement(float value)
    {
        TestTensor x = Random(40000), sum = Output(1);
        x.Slice(0, 39999, 1).Set([value]);
        Run(() => Backend.SumSquares(x, sum), sum);
        Assert.False(float.IsFinite(sum.Floats()[0]));
    }
}
