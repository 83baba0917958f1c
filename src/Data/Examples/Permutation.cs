namespace TinyLlm.Data;

/// <summary>
/// A seeded order of [0, n) that is computed, not stored, so that it holds for any number of windows: what an epoch
/// visits at place i is <see cref="At"/>(i), and a resume needs only i.
/// </summary>
/// <remarks>
/// A balanced Feistel network over the smallest 2h bits that hold n, with SplitMix64's finaliser as the round function:
/// each round (L, R) -> (R, L xor f(R)) can be undone, so the whole is a permutation of [0, 4^h). Values from n on are
/// put through again until they fall below n (cycle walking: J. Black and P. Rogaway, "Ciphers with Arbitrary Finite
/// Domains", 2002), four passes at most on average. Memory and time do not depend on n.
/// </remarks>
public sealed class Permutation
{
    /// <summary>The largest n: 2^62.</summary>
    public const long MaxCount = 1L << 62;

    // Four rounds are the least that look random (Luby and Rackoff 1988); the halves of small domains have few bits to
    // mix, hence twice that.
    private const int Rounds = 8;

    private readonly ulong[] keys = new ulong[Rounds];
    private readonly int halfBits = 1;
    private readonly ulong mask;

    /// <summary>Creates the order of one epoch; each (seed, epoch) has its own.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is not in 1 to
    /// <see cref="MaxCount"/>.</exception>
    public Permutation(long count, ulong seed, long epoch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxCount);
        Count = count;
        while (1L << 2 * halfBits < count)
            halfBits++;
        mask = (1UL << halfBits) - 1;

        for (int round = 0; round < Rounds; round++)
        {
            // The third word keeps this stream apart from others that draw under the same seed.
            uint x0 = (uint)epoch, x1 = (uint)(epoch >> 32), x2 = 0x5045524D, x3 = (uint)round;
            Philox.Next(ref x0, ref x1, ref x2, ref x3, (uint)seed, (uint)(seed >> 32));
            keys[round] = (ulong)x0 << 32 | x1;
        }
    }

    /// <summary>n: how many values are ordered.</summary>
    public long Count { get; }

    /// <summary>The value at place <paramref name="index"/>; every value of [0, n) is at exactly one place.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The index is not in [0, n).</exception>
    public long At(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);

        ulong value = (ulong)index;
        do
            value = Encrypt(value);
        while (value >= (ulong)Count);
        return (long)value;
    }

    private ulong Encrypt(ulong value)
    {
        ulong left = value >> halfBits, right = value & mask;
        foreach (ulong key in keys)
            (left, right) = (right, left ^ Mix(right + key) & mask);
        return left << halfBits | right;
    }

    // The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
    private static ulong Mix(ulong z)
    {
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
}
