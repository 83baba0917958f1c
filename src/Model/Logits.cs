using System.Numerics;
using System.Runtime.Intrinsics;

namespace TinyLlm.Model;

/// <summary>What the sampler does with every logit of a row, 8 or 16 at a time. Vectors of one size, so that every machine adds in the same order.</summary>
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

    /// <summary>weights[i] = e^((logits[i] - shift) / temperature), or 0 where that is less than <paramref name="least"/>. Returns their sum.</summary>
    public static double Weigh(ReadOnlySpan<float> logits, float shift, float temperature, double least, Span<double> weights)
    {
        // The shift is taken off before the division: a tiny temperature then gives 0 and minus infinity, never NaN.
        Vector512<double> shifts = Vector512.Create((double)shift), scale = Vector512.Create((double)temperature), floor = Vector512.Create(least), sum = Vector512<double>.Zero;
        int i = 0;
        for (; i <= logits.Length - Vector512<double>.Count; i += Vector512<double>.Count)
        {
            var (lower, upper) = Vector256.Widen(Vector256.Create(logits[i..]));
            var weight = Vector512.Exp((Vector512.Create(lower, upper) - shifts) / scale);
            weight = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(weight, floor), weight, Vector512<double>.Zero);
            weight.CopyTo(weights[i..]);
            sum += weight;
        }

        double total = Vector512.Sum(sum);
        for (; i < logits.Length; i++)
        {
            double weight = Math.Exp(((double)logits[i] - shift) / temperature);
            total += weights[i] = weight >= least ? weight : 0;
        }

        return total;
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
