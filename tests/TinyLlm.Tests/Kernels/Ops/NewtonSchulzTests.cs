using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class NewtonSchulzTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(1)]
    [InlineData(33)]
    [InlineData(100001)]
    public void Normalize_MatchesReference(int count)
    {
        TestTensor x = Random(count), y = Output(count), sumSquares = Output(1);
        double squares = ReferenceOps.SumSquares(x.Doubles());
        sumSquares.Set([(float)squares]);
        double[] expected = ReferenceOps.Normalize(x.Doubles(), Math.Sqrt(squares));
        Run(() => Backend.Normalize(x, sumSquares, y), y);
        Close("y", expected, y, 5e-7);
        Run(() => Backend.Normalize(x, sumSquares, x), x);
        Close("x in place", expected, x, 5e-7);
    }

    [Fact]
    public void Normalize_LeavesZerosAsTheyAre()
    {
        TestTensor x = Of(50, new float[50]), y = Output(50), sumSquares = Of(1, [0]);
        Run(() => Backend.Normalize(x, sumSquares, y), y);
        Compare.SameBits("y", new float[50], y.Floats());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(33)]
    [InlineData(150)]
    public void Factor_MatchesReference(int k)
    {
        TestTensor gram = Random((k, k)), square = Random((k, k)), y = Output((k, k));
        Run(() => Backend.NewtonSchulzFactor(gram, square, y, new QuinticCoefficients(3.4445f, -4.775f, 2.0315f)), y);
        Close("y", ReferenceOps.NewtonSchulzFactor(gram.Doubles(), square.Doubles(), k, 3.4445f, -4.775f, 2.0315f), y,
            5e-7);
    }
}
