using TinyLlm.Kernels.Cpu;
using Xunit;

namespace TinyLlm.Tests.Kernels.Cpu;

/// <summary>The vector functions against double precision, on a fine grid over all that they are asked for.</summary>
public sealed unsafe class VectorMathTests
{
    // exp is held to two units in the last place: 2 * 2^-23 of the smallest mantissa.
    private const double ExpTolerance = 2.4e-7;

    public static TheoryData<int> Widths => new(16, 8, 4, 1);

    [Theory]
    [MemberData(nameof(Widths))]
    public void Exp_IsWithinTwoUnitsInTheLastPlace(int width)
    {
        float[] x = [.. Grid(-87.3f, 88.3f, 100003), .. Grid(-1, 1, 20001)];
        var y = Apply(width, "exp", x);
        for (int i = 0; i < x.Length; i++)
            Within(x[i], Math.Exp(x[i]), y[i], ExpTolerance * Math.Exp(x[i]));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Exp_ClampsWhatWouldOverflow(int width)
    {
        var y = Apply(
            width, "exp",
            [float.NegativeInfinity, -1e30f, -100, 100, 1e30f, float.PositiveInfinity, float.NaN, 0, -0f]);
        Assert.All(y[..3], v => Assert.InRange(v, 1e-38f, 2e-38f));
        Assert.All(y[3..6], v => Assert.InRange(v, 2e38f, float.MaxValue));
        Assert.True(float.IsNaN(y[6]));
        Assert.Equal([1, 1], y[7..]);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Tanh_IsWithinItsAbsoluteError(int width)
    {
        float[] x = [.. Grid(-12, 12, 100003), .. Grid(-0.1f, 0.1f, 20001), -1e30f, 1e30f, float.NegativeInfinity,
            float.PositiveInfinity];
        var y = Apply(width, "tanh", x);
        for (int i = 0; i < x.Length; i++)
            Within(x[i], Math.Tanh(x[i]), y[i], 2e-7);
        Assert.True(float.IsNaN(Apply(width, "tanh", [float.NaN])[0]));
        Assert.Equal([-1, 1], Apply(width, "tanh", [float.NegativeInfinity, float.PositiveInfinity]));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Sigmoid_KeepsItsDigitsOnBothSides(int width)
    {
        float[] x = [.. Grid(-80, 80, 100003), 1e30f, float.PositiveInfinity];
        var y = Apply(width, "sigmoid", x);
        for (int i = 0; i < x.Length; i++)
            Within(x[i], 1 / (1 + Math.Exp(-x[i])), y[i], 4e-7 / (1 + Math.Exp(-x[i])));
        Assert.True(float.IsNaN(Apply(width, "sigmoid", [float.NaN])[0]));
        Assert.InRange(Apply(width, "sigmoid", [float.NegativeInfinity])[0], 0, 1e-38f);
    }

    private static void Within(float x, double expected, float actual, double tolerance)
    {
        if (!(Math.Abs(actual - expected) <= tolerance))
            Assert.Fail($"f({x:R}): expected {expected:R}, actual {actual:R}; the difference may be {tolerance:E2}.");
    }

    private static IEnumerable<float> Grid(float low, float high, int count) =>
        Enumerable.Range(0, count).Select(i => (float)(low + (double)(high - low) * i / (count - 1)));

    private static float[] Apply(int width, string function, float[] x) => width switch
    {
        16 => Apply<Simd512>(function, x),
        8 => Apply<Simd256>(function, x),
        4 => Apply<Simd128>(function, x),
        _ => Apply<SimdScalar>(function, x),
    };

    private static float[] Apply<V>(string function, float[] x) where V : struct, ISimd<V>
    {
        var y = new float[x.Length];
        fixed (float* source = x, target = y)
        {
            for (int i = 0; i < x.Length; i += V.Width)
            {
                V v = V.Load(source + i, x.Length - i);
                v = function switch
                {
                    "exp" => VectorMath.Exp(v),
                    "tanh" => VectorMath.Tanh(v),
                    _ => VectorMath.Sigmoid(v)
                };
                V.Store(target + i, v, x.Length - i);
            }
        }

        return y;
    }
}
