using TinyLlm.Kernels;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>Comparison with a double-precision reference. NaN never passes.</summary>
internal static class Compare
{
    /// <summary>
    /// How much further the worst element may be off than the whole tensor, relative to the largest element.
    /// </summary>
    private const double WorstElement = 5;

    /// <summary>
    /// Fails unless |actual - expected| / |expected| in the L2 norm is within <paramref name="tolerance"/>, and no
    /// element is off by more than five times that share of the largest expected one.
    /// </summary>
    public static void Close(
        string what, double[] expected, ReadOnlySpan<float> actual, Shape shape, double tolerance, int seed)
    {
        Assert.Equal(expected.Length, actual.Length);
        double squaredError = 0, squaredNorm = 0, largest = 0, largestError = -1;
        int worst = -1, notFinite = -1;
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]);
            squaredError += error * error;
            squaredNorm += expected[i] * expected[i];
            largest = Math.Max(largest, Math.Abs(expected[i]));
            if (notFinite < 0 && !double.IsFinite(error))
                notFinite = i;
            if (error > largestError)
                (largestError, worst) = (error, i);
        }

        if (expected.Length == 0)
            return;
        double relative = squaredError == 0 ? 0 : Math.Sqrt(squaredError / squaredNorm);
        if (notFinite < 0 && relative <= tolerance && largestError <= WorstElement * tolerance * largest)
            return;

        int place = notFinite >= 0 ? notFinite : worst;
        Assert.Fail($"{what} {shape}: at {Index(place, shape)} expected {expected[place]:R}, actual "
            + $"{actual[place]:R}; largest difference {largestError:E2}, " +
            $"largest expected {largest:E2}, relative L2 error {relative:E2}, tolerance {tolerance:E2}, seed {seed}.");
    }

    /// <summary>Fails unless both have the same bits.</summary>
    public static void SameBits(string what, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{what}: at {i} expected {expected[i]:R}, actual {actual[i]:R}; the bits differ.");
        }
    }

    private static string Index(int element, Shape shape)
    {
        var index = new int[shape.Rank];
        for (int i = shape.Rank - 1; i >= 0; i--)
            (element, index[i]) = (element / shape[i], element % shape[i]);
        return $"[{string.Join(", ", index)}]";
    }
}
