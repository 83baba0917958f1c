namespace TinyLlm.Kernels.Cpu;

/// <summary>
/// A vector of floats of some width. Every CPU op is written once against this interface; the JIT compiles it for each
/// width as if it had been written with that width's intrinsics. The widths are <see cref="Simd512"/>,
/// <see cref="Simd256"/>, <see cref="Simd128"/> and <see cref="SimdScalar"/>.
/// </summary>
/// <remarks>
/// Vectors' members are always inlined: one call, even where a loop seldom comes, sends every vector of the loop to
/// memory and back in each turn.
/// </remarks>
internal unsafe interface ISimd<V> where V : struct, ISimd<V>
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Width { get; }

    /// <summary>All lanes zero.</summary>
    static abstract V Zero { get; }

    /// <summary>All lanes <paramref name="value"/>.</summary>
    static abstract V Create(float value);

    /// <summary>Reads Width floats from any address.</summary>
    static abstract V Load(float* p);

    /// <summary>
    /// Reads the first <paramref name="count"/> floats if fewer than Width are left, with zeros behind them.
    /// </summary>
    static abstract V Load(float* p, int count);

    /// <summary>Writes Width floats to any address.</summary>
    static abstract void Store(float* p, V value);

    /// <summary>Writes the first <paramref name="count"/> lanes if fewer than Width are left.</summary>
    static abstract void Store(float* p, V value, int count);

    static abstract V operator +(V a, V b);

    static abstract V operator -(V a, V b);

    static abstract V operator *(V a, V b);

    static abstract V operator /(V a, V b);

    /// <summary>a * b + c, in one rounding where the hardware can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    static abstract V Max(V a, V b);

    static abstract V Min(V a, V b);

    static abstract V Sqrt(V a);

    /// <summary>To the nearest integer, ties to even.</summary>
    static abstract V Round(V a);

    /// <summary>2^n for integral n in [-126, 127].</summary>
    static abstract V PowerOfTwo(V n);

    /// <summary>Sum over the lanes.</summary>
    static abstract float Sum(V a);

    /// <summary>
    /// Sums over the lanes of four vectors, written one after another; each is the same whatever the others are.
    /// </summary>
    static abstract void SumEach(V a, V b, V c, V d, float* sums);

    /// <summary>
    /// The products of 64 pairs of integers, summed into the lanes; exact but for the last rounding of each lane to a
    /// float.
    /// </summary>
    static abstract V DotOf64(sbyte* a, short* b);

    /// <summary>Largest lane.</summary>
    static abstract float MaxAcross(V a);

    /// <summary>
    /// Transposes a Width x Width block: rows of <paramref name="source"/> become columns of
    /// <paramref name="destination"/>.
    /// </summary>
    static abstract void Transpose(float* source, long sourceStride, float* destination, long destinationStride);
}
