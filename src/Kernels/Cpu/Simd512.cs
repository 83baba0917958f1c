using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TinyLlm.Kernels.Cpu;

/// <summary>16 floats: AVX-512.</summary>
internal readonly unsafe struct Simd512(Vector512<float> value) : ISimd<Simd512>
{
    private readonly Vector512<float> value = value;

    // The lower half plus the upper one.
    private Simd256 Halved
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(value.GetLower() + value.GetUpper());
    }

    public static int Width => 16;

    public static Simd512 Zero => new(Vector512<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Create(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Load(float* p) => new(Vector512.Load(p));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Load(float* p, int count) => count >= 16 ? Load(p) : LoadTail(p, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, Simd512 value) => value.value.Store(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, Simd512 value, int count)
    {
        if (count >= 16)
            Store(p, value);
        else
            StoreTail(p, value.value, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator +(Simd512 a, Simd512 b) => new(a.value + b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator -(Simd512 a, Simd512 b) => new(a.value - b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator *(Simd512 a, Simd512 b) => new(a.value * b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator /(Simd512 a, Simd512 b) => new(a.value / b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 MultiplyAdd(Simd512 a, Simd512 b, Simd512 c) =>
        new(Vector512.MultiplyAddEstimate(a.value, b.value, c.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Max(Simd512 a, Simd512 b) => new(Vector512.MaxNative(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Min(Simd512 a, Simd512 b) => new(Vector512.MinNative(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Sqrt(Simd512 a) => new(Vector512.Sqrt(a.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Round(Simd512 a) => new(Vector512.Round(a.value));

    // The exponent field of a float is biased by 127 and starts at bit 23.
    public static Simd512 PowerOfTwo(Simd512 n) =>
        new(((Vector512.ConvertToInt32Native(n.value) + Vector512.Create(127)) << 23).AsSingle());

    public static float Sum(Simd512 a) => Vector512.Sum(a.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SumEach(Simd512 a, Simd512 b, Simd512 c, Simd512 d, float* sums) =>
        Simd256.SumEach(a.Halved, b.Halved, c.Halved, d.Halved, sums);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 DotOf64(sbyte* a, short* b) =>
        new(Vector512.ConvertToSingle(SumOfPairs(a, b) + SumOfPairs(a + 32, b + 32)));

    // Lane i: a[2i] b[2i] + a[2i + 1] b[2i + 1].
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> SumOfPairs(sbyte* a, short* b) => Avx512BW.IsSupported
        ? Avx512BW.MultiplyAddAdjacent(Avx512BW.ConvertToVector512Int16(Vector256.Load(a)), Vector512.Load(b))
        : Vector512.Create(Simd256.SumOfPairs(a, b), Simd256.SumOfPairs(a + 16, b + 16));

    public static float MaxAcross(Simd512 a)
    {
        return Simd256.MaxAcross(new Simd256(Vector256.MaxNative(a.value.GetLower(), a.value.GetUpper())));
    }

    public static void Transpose(float* source, long sourceStride, float* destination, long destinationStride)
    {
        // Four quarters of half the width: packing is a small share of a product's time, and one shuffle network is
        // enough to read.
        for (int i = 0; i < 16; i += 8)
            for (int j = 0; j < 16; j += 8)
            {
                Simd256.Transpose(
                    source + i * sourceStride + j, sourceStride, destination + j * destinationStride + i,
                    destinationStride);
            }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Simd512 LoadTail(float* p, int count)
    {
        float* lanes = stackalloc float[16];
        for (int i = 0; i < 16; i++)
            lanes[i] = i < count ? p[i] : 0;
        return Load(lanes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StoreTail(float* p, Vector512<float> value, int count)
    {
        float* lanes = stackalloc float[16];
        value.Store(lanes);
        for (int i = 0; i < count; i++)
            p[i] = lanes[i];
    }
}
