using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class RopeTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const int Context = 256;
    private const double Base = 10000, Tolerance = 1e-6;

    [Theory]
    [InlineData(1, 1, 1, 2)]
    [InlineData(2, 7, 3, 8)]
    [InlineData(1, 31, 2, 34)]
    [InlineData(2, 33, 4, 64)]
    [InlineData(1, 200, 2, 66)]
    [InlineData(3, 65, 1, 128)]
    public void ForwardAndBackward_MatchReference(int b, int t, int heads, int d)
    {
        var positions = Values.Integers(b * t, 0, Context);
        TestTensor x = Random((b, t, heads, d)), table = Table(d), places = Integers((b, t), positions),
            y = Output((b, t, heads, d)), dx = Output((b, t, heads, d));

        Run(() => Backend.Rope(x, places, table, y), y);
        Run(() => Backend.RopeBackward(x, places, table, dx), dx);

        Close("y", ReferenceOps.Rope(x.Doubles(), positions, heads, d, Base), y, Tolerance);
        Close("dx", ReferenceOps.Rope(x.Doubles(), positions, heads, d, Base, inverse: true), dx, Tolerance);
    }

    [Theory]
    [InlineData(2, 5, 4, 2, 8)]
    [InlineData(1, 70, 2, 1, 66)]
    public void InPlaceOnHeadsOfAStackedProjection(int b, int t, int heads, int kvHeads, int d)
    {
        var positions = Values.Integers(b * t, 0, Context);
        TestTensor stacked = Random((b, t, heads + 2 * kvHeads, d)), k = stacked.Slice(2, heads, kvHeads),
            table = Table(d), places = Integers((b, t), positions);
        double[] before = k.Doubles(), expected = ReferenceOps.Rope(before, positions, kvHeads, d, Base);

        Run(() => Backend.Rope(k, places, table, k), k);
        Close("y", expected, k, Tolerance);
        Run(() => Backend.RopeBackward(k, places, table, k), k);
        Close("rotated there and back", before, k, Tolerance);
    }

    [Fact]
    public void Table_HasCosinesThenSines()
    {
        const int context = 1000, d = 10;
        var table = Backend.RopeTable(context, d, 500);
        for (int position = 0; position < context; position++)
        {
            for (int i = 0; i < d / 2; i++)
            {
                double angle = position / Math.Pow(500, 2.0 * i / d);
                Assert.Equal(Math.Cos(angle), table[position * d + i], 1e-7);
                Assert.Equal(Math.Sin(angle), table[position * d + d / 2 + i], 1e-7);
            }
        }
    }

    private TestTensor Table(int d) => Of((Context, d), Backend.RopeTable(Context, d, Base));
}
