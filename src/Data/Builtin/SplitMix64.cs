namespace TinyLlm.Data;

/// <summary>
/// SplitMix64: a 64-bit counter with a mixing function. The numbers depend on nothing but the seed, on every machine
/// and in every version of .NET; <see cref="Random"/> does not promise that.
/// </summary>
/// <remarks>G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators" (2014).</remarks>
internal struct SplitMix64(ulong seed)
{
    private ulong state = seed;

    /// <summary>The next 64 random bits.</summary>
    public ulong Next() => Mix(state += 0x9E3779B97F4A7C15);

    /// <summary>
    /// A whole number in 0 .. n-1, by the high half of the 128-bit product; the bias is below n / 2^64.
    /// </summary>
    public int Below(int n) => (int)Math.BigMul(Next(), (ulong)n, out _);

    /// <summary>The mixing function alone: a bijection on 64 bits, each input bit reaching each output bit.</summary>
    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
