using System.Numerics;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Divides by a number that is known when a kernel is launched: a multiplication and a shift instead of the thirty
/// instructions that a division takes (T. Granlund and P. Montgomery, "Division by Invariant Integers using
/// Multiplication", 1994). An argument of kernels.
/// </summary>
internal readonly struct Divisor
{
    // Of numbers below 2^31: with s = 31 + ceil(log2 d) and m = ceil(2^s / d), which is less than d / 2^s too large, n
    // / d = n m / 2^s for all of them.
    private readonly uint multiplier;
    private readonly int shift;

    /// <param name="divisor">At least 1.</param>
    public Divisor(int divisor)
    {
        shift = 31 + BitOperations.Log2((uint)divisor) + (BitOperations.IsPow2(divisor) ? 0 : 1);
        multiplier = (uint)(((1UL << shift) + (uint)divisor - 1) / (uint)divisor);
    }

    /// <summary>The quotient, rounded down, of a number that is not negative.</summary>
    public int Quotient(int number) => (int)((ulong)(uint)number * multiplier >> shift);
}
