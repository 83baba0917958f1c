namespace TinyLlm.Bench.Goldens;

/// <summary>
/// The golden models' own generator (SplitMix64), so that their weights do not depend on any library's. Only exact
/// arithmetic is used: every machine draws the same numbers.
/// </summary>
/// <remarks>G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators" (2014).</remarks>
internal sealed class GoldenRandom(ulong seed)
{
    private ulong state = seed;

    /// <summary>64 random bits.</summary>
    public ulong Next()
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number from 0 to <paramref name="end"/> - 1.</summary>
    public int Next(int end) => (int)(Next() % (ulong)end);

    /// <summary>A nearly normal number: twelve uniform ones, each of variance 1/12, less their mean.</summary>
    public double Normal()
    {
        double sum = -6;
        for (int i = 0; i < 12; i++)
            sum += (Next() >> 11) * (1.0 / (1L << 53));
        return sum;
    }
}
