using System.Runtime.CompilerServices;

namespace TinyLlm.Kernels.Cpu;

/// <summary>Functions of vectors of any width.</summary>
internal static class VectorMath
{
    /// <summary>
    /// e^x within 2 units in the last place; x is clamped to [-87.3, 88.3], so that nothing overflows and -infinity
    /// gives about 1e-38.
    /// </summary>
    /// <remarks>
    /// x = n ln 2 + r with |r| at most half of ln 2; e^x = 2^n e^r, and e^r is the degree-6 polynomial of the Cephes
    /// library (S. Moshier, expf). ln 2 is split in two so that r is exact.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V>(V x) where V : struct, ISimd<V>
    {
        // The order of the operands keeps a NaN in x a NaN: Max and Min return the second operand when either is NaN.
        x = V.Min(V.Create(88.3f), V.Max(V.Create(-87.3f), x));
        V n = V.Round(x * V.Create(1.44269504f));
        V r = V.MultiplyAdd(n, V.Create(-0.693359375f), x);
        r = V.MultiplyAdd(n, V.Create(2.12194440e-4f), r);

        V p = V.Create(1.9875691500e-4f);
        p = V.MultiplyAdd(p, r, V.Create(1.3981999507e-3f));
        p = V.MultiplyAdd(p, r, V.Create(8.3334519073e-3f));
        p = V.MultiplyAdd(p, r, V.Create(4.1665795894e-2f));
        p = V.MultiplyAdd(p, r, V.Create(1.6666665459e-1f));
        p = V.MultiplyAdd(p, r, V.Create(0.5f));
        p = V.MultiplyAdd(p, r * r, r + V.Create(1f));
        return p * V.PowerOfTwo(n);
    }

    /// <summary>tanh x = 1 - 2 / (e^2x + 1), within 2e-7 absolutely.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<V>(V x) where V : struct, ISimd<V> =>
        V.Create(1f) - V.Create(2f) / (Exp(x + x) + V.Create(1f));

    /// <summary>The logistic function 1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<V>(V x) where V : struct, ISimd<V> =>
        V.Create(1f) / (V.Create(1f) + Exp(V.Zero - x));
}
