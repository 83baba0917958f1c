using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// Ops that work on rows or single elements, on BF16 activations: the reference computes with the values that the
/// inputs were rounded to, so that what is left is the rounding of the results, 1.1e-3 of each on average.
/// </summary>
public abstract class BFloat16RowTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const double Tolerance = 3e-3;
    private const ulong Seed = 0xFEDCBA9876543210;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 31)]
    [InlineData(3, 300)]
    public void SwiGlu(int rows, int f)
    {
        TestTensor gateUp = Inputs((rows, 2 * f)), dy = Inputs((rows, f)), y = Outputs((rows, f)),
            dGateUp = Outputs((rows, 2 * f));
        Run(() => Backend.SwiGlu(gateUp, y), y);
        Run(() => Backend.SwiGluBackward(dy, gateUp, dGateUp), dGateUp);
        Close("y", ReferenceOps.SwiGlu(gateUp.Doubles(), f), y, Tolerance);
        Close("dGateUp", ReferenceOps.SwiGluBackward(dy.Doubles(), gateUp.Doubles(), f), dGateUp, Tolerance);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1001)]
    public void Dropout(int count)
    {
        const int step = 3, microStep = 5, site = 7;
        TestTensor x = Inputs(count), y = Outputs(count), state = State(Seed, step, microStep);
        var expected =
            ReferenceOps.Multiply(x.Doubles(), ReferencePhilox.DropoutMask(count, 0.3f, Seed, step, microStep, site));
        Run(() => Backend.Dropout(x, y, 0.3f, state, site), y);
        Close("y", expected, y, Tolerance);
        Assert.Equal(expected.Select(v => v == 0), y.Floats().Select(v => v == 0));
    }

    [Theory]
    [InlineData(2, 3, 7, 2, 5)]
    [InlineData(1, 4, 9, 3, 64)]
    public void CacheWrite(int b, int t, int tmax, int heads, int d)
    {
        var offsets = Enumerable.Range(0, b).Select(i => tmax - t - i).ToArray();
        TestTensor x = Inputs((b, t, heads * 3, d)).Slice(2, heads, heads), lengths = Integers(b, offsets),
            cache = Inputs((b, tmax, heads + 1, d)).Slice(2, 1, heads);
        float[] expected = cache.Floats(), source = x.Floats();
        for (int row = 0; row < b; row++)
            Array.Copy(source, row * t * heads * d, expected, (row * tmax + offsets[row]) * heads * d, t * heads * d);
        Run(() => Backend.CacheWrite(x, lengths, cache), cache);
        Compare.SameBits("cache", expected, cache.Floats());
    }

    [Theory]
    [InlineData(1, 1, 1, 2)]
    [InlineData(2, 9, 3, 34)]
    public void Rope(int b, int t, int heads, int d)
    {
        const int context = 64;
        var places = Values.Integers(b * t, 0, context);
        TestTensor x = Inputs((b, t, heads + 2, d)).Slice(2, 1, heads), positions = Integers((b, t), places),
            table = Of((context, d), Backend.RopeTable(context, d, 100));
        double[] before = x.Doubles();
        TestTensor y = Outputs((b, t, heads, d));
        Run(() => Backend.Rope(x, positions, table, y), y);
        Close("y", ReferenceOps.Rope(before, places, heads, d, 100), y, Tolerance);
        Run(() => Backend.RopeBackward(x, positions, table, x), x);
        Close("dx in place", ReferenceOps.Rope(before, places, heads, d, 100, inverse: true), x, Tolerance);
    }

    [Theory]
    [InlineData(9, 31)]
    [InlineData(1, 1030)]
    public void Softmax(int rows, int c)
    {
        TestTensor x = Inputs((rows, c)), dy = Inputs((rows, c)), y = Outputs((rows, c)), dx = Outputs((rows, c));
        Run(() => Backend.Softmax(x, y), y);
        Run(() => Backend.SoftmaxBackward(dy, y, dx), dx);
        Close("y", ReferenceOps.Softmax(x.Doubles(), c), y, Tolerance);
        Close("dx", ReferenceOps.SoftmaxBackward(dy.Doubles(), y.Doubles(), c), dx, Tolerance);
    }

    private TestTensor Inputs(Shape shape) => Random(shape, dtype: DType.BF16);

    private TestTensor Outputs(Shape shape) => Output(shape, DType.BF16);
}
