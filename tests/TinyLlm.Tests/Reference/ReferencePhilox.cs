namespace TinyLlm.Tests.Reference;

/// <summary>
/// Philox4x32-10 as the paper draws it (J. Salmon et al., 2011, figure 4), over arrays and with the keys of all rounds
/// laid out first, and the dropout masks that the ops document. Independent of the product's generator.
/// </summary>
internal static class ReferencePhilox
{
    public static uint[] Next(uint[] counter, uint[] key)
    {
        const ulong multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57, weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
        var roundKeys = Enumerable.Range(0, 10)
            .Select(r => ((uint)(key[0] + (ulong)r * weyl0), (uint)(key[1] + (ulong)r * weyl1)));

        // In each round the two products' low halves pass as they are, and their high halves mix with the other pair
        // and the key.
        var (left0, right0, left1, right1) = (counter[0], counter[1], counter[2], counter[3]);
        foreach (var (key0, key1) in roundKeys)
        {
            ulong product0 = left0 * multiplier0, product1 = left1 * multiplier1;
            uint high0 = (uint)(product0 / 0x1_0000_0000), low0 = (uint)(product0 % 0x1_0000_0000);
            uint high1 = (uint)(product1 / 0x1_0000_0000), low1 = (uint)(product1 % 0x1_0000_0000);
            uint newLeft0 = high1 ^ right0 ^ key0, newLeft1 = high0 ^ right1 ^ key1;
            (left0, right0, left1, right1) = (newLeft0, low1, newLeft1, low0);
        }

        return [left0, right0, left1, right1];
    }

    /// <summary>
    /// Factors of dropout, 0 or 1 / (1 - p), for the <paramref name="count"/> elements of a micro-batch: element i is
    /// number n = microStep * count + i, takes word n % 4 at counter (n / 4 low, n / 4 high, site, step), and stays
    /// where word >= p 2^32.
    /// </summary>
    public static double[] DropoutMask(long count, float probability, ulong seed, int step, int microStep, int site)
    {
        double threshold = probability * 4294967296.0;
        uint[] key = [(uint)(seed & 0xFFFFFFFF), (uint)(seed >> 32)];
        var mask = new double[count];
        for (long i = 0; i < count; i++)
        {
            ulong n = (ulong)microStep * (ulong)count + (ulong)i;
            uint word = Next([(uint)((n / 4) & 0xFFFFFFFF), (uint)((n / 4) >> 32), (uint)site, (uint)step], key)[n % 4];
            mask[i] = word >= threshold ? 1 / (1 - (double)probability) : 0;
        }

        return mask;
    }
}
