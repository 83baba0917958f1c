namespace TinyLlm.Tests.Support;

/// <summary>Seeded random values for tests.</summary>
internal sealed class RandomValues(int seed)
{
    private readonly Random random = new(seed);

    /// <summary>A draw from the normal distribution, by G. Box and M. Muller (1958).</summary>
    public double Gaussian() =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    public double[] Gaussians(long count, double scale = 1, double mean = 0)
    {
        var values = new double[count];
        for (int i = 0; i < values.Length; i++)
            values[i] = mean + scale * Gaussian();
        return values;
    }

    /// <summary>Gaussians rounded to single precision.</summary>
    public float[] Floats(long count, double scale = 1, double mean = 0) =>
        Array.ConvertAll(Gaussians(count, scale, mean), v => (float)v);

    /// <summary>Uniform integers of [low, high).</summary>
    public int[] Integers(long count, int low, int high)
    {
        var values = new int[count];
        for (int i = 0; i < values.Length; i++)
            values[i] = random.Next(low, high);
        return values;
    }
}
