using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class DotTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(33)]
    [InlineData(257)]
    [InlineData(100001)]
    public void Forward_AddsToTheSum(int count)
    {
        TestTensor a = Random(count, mean: 1), b = Random(count, mean: 1), sum = Of(1, [3]);
        const float scale = -0.25f;
        Run(() => Backend.Dot(a, b, scale, sum), sum);
        Close("sum", [3 + scale * ReferenceOps.Dot(a.Doubles(), b.Doubles())], sum, 1e-6);
    }
}
