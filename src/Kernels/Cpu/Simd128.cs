using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace TinyLlm.Kernels.Cpu;

/// <summary>4 floats: SSE on x86, NEON on ARM.</summary>
internal readonly unsafe struct Simd128(Vector128<float> value) : ISimd<Simd128>
{
    private readonly Vector128<float> value = value;

    public static int Width => 4;

    public static Simd128 Zero => new(Vector128<float>.Zero);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Create(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Load(float* p) => new(Vector128.Load(p));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Load(float* p, int count) => count >= 4 ? Load(p) : LoadTail(p, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, Simd128 value) => value.value.Store(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, Simd128 value, int count)
    {
        if (count >= 4)
            Store(p, value);
        else
            StoreTail(p, value.value, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator +(Simd128 a, Simd128 b) => new(a.value + b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator -(Simd128 a, Simd128 b) => new(a.value - b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator *(Simd128 a, Simd128 b) => new(a.value * b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator /(Simd128 a, Simd128 b) => new(a.value / b.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 MultiplyAdd(Simd128 a, Simd128 b, Simd128 c) =>
        new(Vector128.MultiplyAddEstimate(a.value, b.value, c.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Max(Simd128 a, Simd128 b) => new(Vector128.MaxNative(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Min(Simd128 a, Simd128 b) => new(Vector128.MinNative(a.value, b.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Sqrt(Simd128 a) => new(Vector128.Sqrt(a.value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Round(Simd128 a) => new(Vector128.Round(a.value));

    // The exponent field of a float is biased by 127 and starts at bit 23.
    public static Simd128 PowerOfTwo(Simd128 n) =>
        new(((Vector128.ConvertToInt32Native(n.value) + Vector128.Create(127)) << 23).AsSingle());

    public static float Sum(Simd128 a) => Vector128.Sum(a.value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SumEach(Simd128 a, Simd128 b, Simd128 c, Simd128 d, float* sums)
    {
        // (a0+a2 c0+c2 a1+a3 c1+c3), the same of b and d, and the two interleaved.
        var ac = Interleave(a.value, c.value, upper: false) + Interleave(a.value, c.value, upper: true);
        var bd = Interleave(b.value, d.value, upper: false) + Interleave(b.value, d.value, upper: true);
        (Interleave(ac, bd, upper: false) + Interleave(ac, bd, upper: true)).Store(sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 DotOf64(sbyte* a, short* b) => new(Vector128.ConvertToSingle(
        SumOfPairs(a, b) + SumOfPairs(a + 8, b + 8) + (SumOfPairs(a + 16, b + 16) + SumOfPairs(a + 24, b + 24))
        + (SumOfPairs(a + 32, b + 32) + SumOfPairs(a + 40, b + 40)
        + (SumOfPairs(a + 48, b + 48) + SumOfPairs(a + 56, b + 56)))));

    // Lane i: a[2i] b[2i] + a[2i + 1] b[2i + 1].
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<int> SumOfPairs(sbyte* a, short* b)
    {
        var x = Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(long*)a).AsSByte());
        var y = Vector128.Load(b);
        if (Sse2.IsSupported)
            return Sse2.MultiplyAddAdjacent(x, y);
        var low = Vector128.WidenLower(x) * Vector128.WidenLower(y);
        var high = Vector128.WidenUpper(x) * Vector128.WidenUpper(y);
        if (AdvSimd.Arm64.IsSupported)
            return AdvSimd.Arm64.AddPairwise(low, high);
        return Vector128.Create(low[0] + low[1], low[2] + low[3], high[0] + high[1], high[2] + high[3]);
    }

    public static float MaxAcross(Simd128 a)
    {
        return MathF.Max(MathF.Max(a.value[0], a.value[1]), MathF.Max(a.value[2], a.value[3]));
    }

    public static void Transpose(float* source, long sourceStride, float* destination, long destinationStride)
    {
        var r0 = Vector128.Load(source);
        var r1 = Vector128.Load(source + sourceStride);
        var r2 = Vector128.Load(source + 2 * sourceStride);
        var r3 = Vector128.Load(source + 3 * sourceStride);

        // Interleave rows 0 with 2 and 1 with 3, then the results: (r0 r2) x (r1 r3) leaves each column in order.
        var low02 = Interleave(r0, r2, upper: false);
        var high02 = Interleave(r0, r2, upper: true);
        var low13 = Interleave(r1, r3, upper: false);
        var high13 = Interleave(r1, r3, upper: true);
        Interleave(low02, low13, upper: false).Store(destination);
        Interleave(low02, low13, upper: true).Store(destination + destinationStride);
        Interleave(high02, high13, upper: false).Store(destination + 2 * destinationStride);
        Interleave(high02, high13, upper: true).Store(destination + 3 * destinationStride);
    }

    // (a0 b0 a1 b1), or (a2 b2 a3 b3) of the upper halves.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Interleave(Vector128<float> a, Vector128<float> b, bool upper)
    {
        if (Sse.IsSupported)
            return upper ? Sse.UnpackHigh(a, b) : Sse.UnpackLow(a, b);
        if (AdvSimd.Arm64.IsSupported)
            return upper ? AdvSimd.Arm64.ZipHigh(a, b) : AdvSimd.Arm64.ZipLow(a, b);
        return upper ? Vector128.Create(a[2], b[2], a[3], b[3]) : Vector128.Create(a[0], b[0], a[1], b[1]);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Simd128 LoadTail(float* p, int count)
    {
        float* lanes = stackalloc float[4];
        for (int i = 0; i < 4; i++)
            lanes[i] = i < count ? p[i] : 0;
        return Load(lanes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StoreTail(float* p, Vector128<float> value, int count)
    {
        float* lanes = stackalloc float[4];
        value.Store(lanes);
        for (int i = 0; i < count; i++)
            p[i] = lanes[i];
    }
}
