namespace TinyLlm.Training;

/// <summary>A 95% confidence interval.</summary>
/// <param name="Low">Its lower end.</param>
/// <param name="High">Its upper end.</param>
public readonly record struct Interval(double Low, double High)
{
    private const double Z = 1.959963984540054; // 97.5% of the normal distribution lie below

    /// <summary>
    /// Of a share, after Wilson (1927): (p + z^2/2n ± z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n).
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">There is nothing, or more right than there is.</exception>
    public static Interval OfShare(int right, int all)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(all, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)right, (uint)all);
        double p = (double)right / all, scale = 1 + Z * Z / all;
        double middle = (p + Z * Z / (2 * all)) / scale,
            half = Z * Math.Sqrt(p * (1 - p) / all + Z * Z / (4.0 * all * all)) / scale;

        // None and all are ends themselves, which rounding would miss.
        return new Interval(right == 0 ? 0 : middle - half, right == all ? 1 : middle + half);
    }

    /// <summary>
    /// Of a ratio of sums, sum x / sum n, over independent units, by the normal approximation: the variance of x -
    /// ratio n over the units, as survey sampling has it (Cochran 1977, section 6.4). Null for fewer than two units
    /// with n &gt; 0, which show no spread.
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
    /// Of the difference of two shares over the same rows, first minus second, after Newcombe (1998, paired data,
    /// method 10): Wilson's intervals of both shares, put together by the correlation of the rows. It stays within -1
    /// and 1, and has a width also where no row or every row differs. Rows that only one of the two has do not count.
    /// </summary>
    /// <returns>The difference and its interval; nothing where no row counts.</returns>
    public static (double Difference, Interval Interval)? OfDifference(
        IReadOnlyList<bool?> first, IReadOnlyList<bool?> second)
    {
        if (first.Count != second.Count)
        {
            throw new ArgumentException(
                $"Interval: {first.Count} rows and {second.Count}; expected the same rows.", nameof(second));
        }

        int both = Count(true, true), firstOnly = Count(true, false), secondOnly = Count(false, true),
            neither = Count(false, false), all = both + firstOnly + secondOnly + neither;
        if (all == 0)
            return null;

        double p = (double)(both + firstOnly) / all, q = (double)(both + secondOnly) / all;
        Interval a = OfShare(both + firstOnly, all), b = OfShare(both + secondOnly, all);
        double product = (double)both * neither - (double)firstOnly * secondOnly,
            margins = Math.Sqrt(p * (1 - p) * q * (1 - q)) * all * all;
        if (product > 0)
            product = Math.Max(product - all / 2.0, 0); // Newcombe's correction for continuity
        double correlation = margins > 0 ? product / margins : 0;
        return (p - q, new Interval(p - q - Width(p - a.Low, b.High - q), p - q + Width(a.High - p, q - b.Low)));

        int Count(bool one, bool other) => first.Zip(second).Count(row => row.First == one && row.Second == other);

        double Width(double x, double y) => Math.Sqrt(Math.Max(0, x * x - 2 * correlation * x * y + y * y));
    }
}
