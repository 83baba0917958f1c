using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TinyLlm.Kernels.Cpu;

/// <summary>8 floats: AVX2 with FMA.</summary>
internal readonly unsafe struct Simd256(Vector256<float> value) : ISimd<Simd256>
{
    private readonly Vector256<float> value = value;

    // The lower half plus the upper one.
    private Simd128 Halved
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(value.GetLower() + value.GetUpper());
    }

    public static int Width => 8;

    public static Simd256 Zero => new(Vector256<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Create(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Load(float* p) => new(Vector256.Load(p));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Load(float* p, int count) => count >= 8 ? Load(p) : LoadTail(p, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, Simd256 value) => value.value.Store(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, Simd256 value, int count)
    {
        if (count >= 8)
            Store(p, value);
        else
            StoreTail(p, value.value, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator +(Simd256 a, Simd256 b) => new(a.value + b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator -(Simd256 a, Simd256 b) => new(a.value - b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator *(Simd256 a, Simd256 b) => new(a.value * b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator /(Simd256 a, Simd256 b) => new(a.value / b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 MultiplyAdd(Simd256 a, Simd256 b, Simd256 c) =>
        new(Vector256.MultiplyAddEstimate(a.value, b.value, c.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Max(Simd256 a, Simd256 b) => new(Vector256.MaxNative(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Min(Simd256 a, Simd256 b) => new(Vector256.MinNative(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Sqrt(Simd256 a) => new(Vector256.Sqrt(a.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Round(Simd256 a) => new(Vector256.Round(a.value));

    // The exponent field of a float is biased by 127 and starts at bit 23.
    public static Simd256 PowerOfTwo(Simd256 n) =>
        new(((Vector256.ConvertToInt32Native(n.value) + Vector256.Create(127)) << 23).AsSingle());

    public static float Sum(Simd256 a) => Vector256.Sum(a.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SumEach(Simd256 a, Simd256 b, Simd256 c, Simd256 d, float* sums) =>
        Simd128.SumEach(a.Halved, b.Halved, c.Halved, d.Halved, sums);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 DotOf64(sbyte* a, short* b) =>
        new(Vector256.ConvertToSingle(
            SumOfPairs(a, b) + SumOfPairs(a + 16, b + 16) + (SumOfPairs(a + 32, b + 32) + SumOfPairs(a + 48, b + 48))));

    // Lane i: a[2i] b[2i] + a[2i + 1] b[2i + 1].
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<int> SumOfPairs(sbyte* a, short* b) => Avx2.IsSupported
        ? Avx2.MultiplyAddAdjacent(Avx2.ConvertToVector256Int16(a), Vector256.Load(b))
        : Vector256.Create(Simd128.SumOfPairs(a, b), Simd128.SumOfPairs(a + 8, b + 8));

    public static float MaxAcross(Simd256 a)
    {
        return Simd128.MaxAcross(new Simd128(Vector128.MaxNative(a.value.GetLower(), a.value.GetUpper())));
    }

    public static void Transpose(float* source, long sourceStride, float* destination, long destinationStride)
    {
        if (!Avx.IsSupported)
        {
            // Four quarters of half the width.
            for (int i = 0; i < 8; i += 4)
                for (int j = 0; j < 8; j += 4)
                {
                    Simd128.Transpose(
                        source + i * sourceStride + j, sourceStride, destination + j * destinationStride + i,
                        destinationStride);
                }

            return;
        }

        var r0 = Vector256.Load(source);
        var r1 = Vector256.Load(source + sourceStride);
        var r2 = Vector256.Load(source + 2 * sourceStride);
        var r3 = Vector256.Load(source + 3 * sourceStride);
        var r4 = Vector256.Load(source + 4 * sourceStride);
        var r5 = Vector256.Load(source + 5 * sourceStride);
        var r6 = Vector256.Load(source + 6 * sourceStride);
        var r7 = Vector256.Load(source + 7 * sourceStride);

        // Pairs of rows interleave to pairs of columns, pairs of pairs to fours, within each 128-bit half ...
        var t0 = Avx.UnpackLow(r0, r1);
        var t1 = Avx.UnpackHigh(r0, r1);
        var t2 = Avx.UnpackLow(r2, r3);
        var t3 = Avx.UnpackHigh(r2, r3);
        var t4 = Avx.UnpackLow(r4, r5);
        var t5 = Avx.UnpackHigh(r4, r5);
        var t6 = Avx.UnpackLow(r6, r7);
        var t7 = Avx.UnpackHigh(r6, r7);
        r0 = Avx.Shuffle(t0, t2, 0x44);
        r1 = Avx.Shuffle(t0, t2, 0xEE);
        r2 = Avx.Shuffle(t1, t3, 0x44);
        r3 = Avx.Shuffle(t1, t3, 0xEE);
        r4 = Avx.Shuffle(t4, t6, 0x44);
        r5 = Avx.Shuffle(t4, t6, 0xEE);
        r6 = Avx.Shuffle(t5, t7, 0x44);
        r7 = Avx.Shuffle(t5, t7, 0xEE);

        // ... then the halves of rows 0-3 and 4-7 are joined.
        Avx.Permute2x128(r0, r4, 0x20).Store(destination);
        Avx.Permute2x128(r1, r5, 0x20).Store(destination + destinationStride);
        Avx.Permute2x128(r2, r6, 0x20).Store(destination + 2 * destinationStride);
        Avx.Permute2x128(r3, r7, 0x20).Store(destination + 3 * destinationStride);
        Avx.Permute2x128(r0, r4, 0x31).Store(destination + 4 * destinationStride);
        Avx.Permute2x128(r1, r5, 0x31).Store(destination + 5 * destinationStride);
        Avx.Permute2x128(r2, r6, 0x31).Store(destination + 6 * destinationStride);
        Avx.Permute2x128(r3, r7, 0x31).Store(destination + 7 * destinationStride);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Simd256 LoadTail(float* p, int count)
    {
        float* lanes = stackalloc float[8];
        for (int i = 0; i < 8; i++)
            lanes[i] = i < count ? p[i] : 0;
        return Load(lanes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StoreTail(float* p, Vector256<float> value, int count)
    {
        float* lanes = stackalloc float[8];
        value.Store(lanes);
        for (int i = 0; i < count; i++)
            p[i] = lanes[i];
    }
}
