namespace TinyLlm.Training;

/// <summary>A 95% confidence interval.</summary>
/// <param name="Low">Its lower end.</param>
/// <param name="High">Its upper end.</param>
public readonly record struct Interval(double Low, double High)
{
    private const double Z = 1.959963984540054; // 97.5% of the normal distribution lie below

    /// <summary>Of a share, after Wilson (1927): (p + z^2/2n ± z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n).</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is nothing, or more right than there is.</exception>
    public static Interval OfShare(int right, int all)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(all, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)right, (uint)all);
        double p = (double)right / all, scale = 1 + Z * Z / all;
        double middle = (p + Z * Z / (2 * all)) / scale, half = Z * Math.Sqrt(p * (1 - p) / all + Z * Z / (4.0 * all * all)) / scale;

        // None and all are ends themselves, which rounding would miss.
        return new Interval(right == 0 ? 0 : middle - half, right == all ? 1 : middle + half);
    }

    /// <summary>
    /// Of a ratio of sums, sum x / sum n, over independent units, by the normal approximation: the variance of x - ratio n over the units, as survey sampling has it (Cochran 1977,
    /// section 6.4). Null for fewer than two units with n &gt; 0, which show no spread.
    /// </summary>
    public static Interval? OfRatio(IReadOnlyList<(double X, double N)> units)
    {
        int count = units.Count(unit => unit.N > 0);
        if (count < 2)
            return null;
        double n = units.Sum(unit => unit.N), ratio = units.Sum(unit => unit.X) / n;
        double squares = units.Sum(unit => (unit.X - ratio * unit.N) * (unit.X - ratio * unit.N));
        double half = Z * Math.Sqrt(squares * count / (count - 1)) / n;
        return new Interval(ratio - half, ratio + half);
    }

    /// <summary>
    /// Of the difference of two shares over the same rows, first minus second, by the normal approximation to the mean of the rows' differences, which are -1, 0 or 1. Rows that only one of
    /// the two has do not count.
    /// </summary>
    /// <returns>The difference with its interval and the number of rows that count; no interval for fewer than two of them, no difference for none.</returns>
    public static (double? Difference, Interval? Interval, int Rows) OfDifference(IReadOnlyList<bool?> first, IReadOnlyList<bool?> second)
    {
        if (first.Count != second.Count)
            throw new ArgumentException($"Interval: {first.Count} rows and {second.Count}; expected the same rows.", nameof(second));
        var units = first.Zip(second).Where(pair => pair.First is not null && pair.Second is not null)
            .Select(pair => ((pair.First!.Value ? 1.0 : 0) - (pair.Second!.Value ? 1 : 0), 1.0)).ToList();
        return (units.Count > 0 ? units.Average(unit => unit.Item1) : null, OfRatio(units), units.Count);
    }
}
