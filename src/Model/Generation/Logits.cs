using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TinyLlm.Model;

/// <summary>
/// What the sampler does with every logit of a row, 8 or 16 at a time. Vectors of one size, so that every machine adds
/// in the same order.
/// </summary>
internal static class Logits
{
    /// <summary>The first of the largest logits; -1 where one is NaN or plus infinity.</summary>
    public static int IndexOfLargest(ReadOnlySpan<float> logits)
    {
        var largest = Vector512.Create(float.NegativeInfinity);
        var tooLarge = Vector512.Create(float.PositiveInfinity);
        int i = 0;
        for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var x = Vector512.Create(logits[i..]);
            if (!Vector512.LessThanAll(x, tooLarge))
                return -1;
            largest = Vector512.Max(largest, x);
        }

        float best = float.NegativeInfinity;
        for (int lane = 0; lane < Vector512<float>.Count; lane++)
            best = Math.Max(best, largest[lane]);
        for (; i < logits.Length; i++)
        {
            if (!(logits[i] < float.PositiveInfinity))
                return -1;
            best = Math.Max(best, logits[i]);
        }

        return IndexOf(logits, best);
    }

    /// <summary>
    /// weights[i] = e^((logits[i] - largest) / temperature), or 0 where that is less than <paramref name="least"/>.
    /// Returns their sum.
    /// </summary>
    public static double Weigh(
        ReadOnlySpan<float> logits, float largest, float temperature, double least, Span<double> weights)
    {
        // The largest logit is taken off before the division: a tiny temperature then gives 0 and minus infinity, never
        // NaN.
        Vector512<double> shift = Vector512.Create((double)largest), scale = Vector512.Create((double)temperature),
            floor = Vector512.Create(least), sum = Vector512<double>.Zero;
        int i = 0;
        for (; i <= logits.Length - Vector512<double>.Count; i += Vector512<double>.Count)
        {
            var (lower, upper) = Vector256.Widen(Vector256.Create(logits[i..]));
            var weight = Exp((Vector512.Create(lower, upper) - shift) / scale);
            weight = Vector512.ConditionalSelect(
                Vector512.GreaterThanOrEqual(weight, floor), weight, Vector512<double>.Zero);
            weight.CopyTo(weights[i..]);
            sum += weight;
        }

        double total = Vector512.Sum(sum);
        for (; i < logits.Length; i++)
        {
            double weight = Math.Exp(((double)logits[i] - largest) / temperature);
            total += weights[i] = weight >= least ? weight : 0;
        }

        return total;
    }

    /// <summary>e^x within 2 units in the last place for x up to 0; 0 below -708.</summary>
    /// <remarks>
    /// x = n ln 2 + r with |r| at most half of ln 2; e^x = 2^n e^r, and e^r is the rational function of the Cephes
    /// library (S. Moshier, exp). .NET's own vector function is a call for every vector, which hands it over in memory
    /// and takes up to three times as long.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> Exp(Vector512<double> x)
    {
        const double least = -708, log2E = 1.4426950408889634073599;

        // A number of this size has no bits behind the point, and n + 1023 in its lowest ones: there it is the exponent
        // of 2^n, once it is shifted.
        var round = Vector512.Create(1.5 * (1L << 52) + 1023);
        var inRange = Vector512.GreaterThanOrEqual(x, Vector512.Create(least));
        x = Vector512.Max(x, Vector512.Create(least));
        var shifted = x * Vector512.Create(log2E) + round;
        var n = shifted - round;
        var r = x - n * Vector512.Create(6.93145751953125E-1) - n * Vector512.Create(1.42860682030941723212E-6);

        var square = r * r;
        var p = ((Vector512.Create(1.26177193074810590878E-4) * square + Vector512.Create(3.02994407707441961300E-2))
            * square + Vector512<double>.One) * r;
        var q = ((Vector512.Create(3.00198505138664455042E-6) * square + Vector512.Create(2.52448340349684104192E-3))
            * square + Vector512.Create(2.27265548208155028766E-1)) * square
            + Vector512.Create(2.0);
        var power = (shifted.AsInt64() << 52).AsDouble();
        return ((p + p) / (q - p) + Vector512<double>.One) * power & inRange;
    }

    private static int IndexOf(ReadOnlySpan<float> logits, float value)
    {
        var values = Vector512.Create(value);
        int i = 0;
        for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            ulong equal = Vector512.Equals(Vector512.Create(logits[i..]), values).ExtractMostSignificantBits();
            if (equal != 0)
                return i + BitOperations.TrailingZeroCount(equal);
        }

        while (logits[i] != value)
            i++;
        return i;
    }
}
