using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TinyLlm.Kernels.Cpu;

/// <summary>
/// Rounding of floats to small integers and back, a block of <see cref="QuantizedMatrix"/> at a time.
/// </summary>
internal static unsafe class QuantizedBlock
{
    private const int Size = QuantizedMatrix.BlockSize;

    // What fills a vector of 16-bit integers.
    private const int Part = Size / 2;

    /// <summary>Rounds a block of floats to 8 bits and returns its scale.</summary>
    public static float Round(float* x, sbyte* values)
    {
        float scale = ScaleOf(LargestOf(x), sbyte.MaxValue), inverse = Inverse(scale);
        Vector512.Narrow(RoundPart(x, inverse), RoundPart(x + Part, inverse)).Store(values);
        return scale;
    }

    /// <summary>Rounds blocks of floats to 16 bits and returns the scale that they share.</summary>
    public static float Round(float* x, int blocks, short* values)
    {
        var largest = Vector512<float>.Zero;
        for (int block = 0; block < blocks; block++)
            largest = Vector512.Max(largest, LargestOf(x + block * Size));
        float scale = ScaleOf(largest, short.MaxValue), inverse = Inverse(scale);
        for (int part = 0; part < 2 * blocks; part++)
            RoundPart(x + part * Part, inverse).Store(values + part * Part);
        return scale;
    }

    /// <summary>A row of blocks as floats: x = scale values.</summary>
    public static void WidenRow(sbyte* values, float* scales, int blocks, float* x)
    {
        for (int block = 0; block < blocks; block++)
        {
            var scale = Vector256.Create(scales[block]);
            for (int i = 0; i < Size; i += Vector256<float>.Count, values += Vector256<float>.Count,
                x += Vector256<float>.Count)
                (Vector256.ConvertToSingle(Widen(values)) * scale).Store(x);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(sbyte* values)
    {
        if (Avx2.IsSupported)
            return Avx2.ConvertToVector256Int32(values);
        var (low, high) = Vector128.Widen(Vector128.WidenLower(Vector128.CreateScalar(*(long*)values).AsSByte()));
        return Vector256.Create(low, high);
    }

    // Max hands a NaN on: it becomes the scale and shows in all that comes of the block.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LargestOf(float* x)
    {
        var largest = Vector512<float>.Zero;
        for (int i = 0; i < Size; i += Vector512<float>.Count)
            largest = Vector512.Max(largest, Vector512.Abs(Vector512.Load(x + i)));
        return largest;
    }

    private static float ScaleOf(Vector512<float> largest, int steps)
    {
        float max = 0;
        for (int lane = 0; lane < Vector512<float>.Count; lane++)
            max = MathF.Max(max, largest[lane]);
        return max / steps;
    }

    // Numbers too small for their scale to have an inverse count as zero.
    private static float Inverse(float scale) => scale < 1e-37f ? 0 : 1 / scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> RoundPart(float* x, float inverse)
    {
        var factor = Vector512.Create(inverse);
        return Vector512.Narrow(
            Vector512.ConvertToInt32(Vector512.Round(Vector512.Load(x) * factor)),
            Vector512.ConvertToInt32(Vector512.Round(Vector512.Load(x + Vector512<float>.Count) * factor)));
    }
}
