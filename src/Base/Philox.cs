using System.Runtime.CompilerServices;

namespace TinyLlm;

/// <summary>
/// Philox4x32-10, a counter-based generator: the same key and counter give the same four numbers on any device, in any
/// order, so dropout needs no stored mask and no state.
/// </summary>
/// <remarks>J. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011).</remarks>
public static class Philox
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57, Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    /// <summary>Turns a counter (x0, x1, x2, x3) into four random words under the key (k0, k1).</summary>
    public static void Next(ref uint x0, ref uint x1, ref uint x2, ref uint x3, uint k0, uint k1)
    {
        for (int round = 0; round < 10; round++)
            Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
    }

    /// <summary>One of the ten rounds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Round(ref uint x0, ref uint x1, ref uint x2, ref uint x3, ref uint k0, ref uint k1)
    {
        ulong p0 = (ulong)Multiplier0 * x0, p1 = (ulong)Multiplier1 * x2;
        (x0, x1, x2, x3) = ((uint)(p1 >> 32) ^ x1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ x3 ^ k1, (uint)p0);
        k0 += Weyl0;
        k1 += Weyl1;
    }
}
