using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class AddTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(33)]
    [InlineData(200000)]
    public void Forward_IsExact(int count)
    {
        TestTensor a = Random(count), b = Random(count), y = Output(count);
        var expected = a.Floats().Zip(b.Floats(), (u, v) => u + v).ToArray();

        Run(() => Backend.Add(a, b, y), y);
        Compare.SameBits("y", expected, y.Floats());
        Run(() => Backend.Add(a, b, b), b);
        Compare.SameBits("b in place", expected, b.Floats());
    }

    [Fact]
    public void Forward_InPlaceOverTheFirst()
    {
        TestTensor a = Random((3, 5, 7)), b = Random((3, 5, 7));
        var expected = a.Floats().Zip(b.Floats(), (u, v) => u + v).ToArray();
        Run(() => Backend.Add(a, b, a), a);
        Compare.SameBits("a in place", expected, a.Floats());
    }
}
