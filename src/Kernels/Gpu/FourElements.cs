using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Four neighbouring elements as a kernel loads and stores them: in one access where they lie at a multiple of four, else one by one. Single elements of two bytes
/// keep too few bytes on their way to use a GPU's memory.
/// </summary>
internal static class FourElements
{
    private struct Packed<T> where T : unmanaged
    {
        public T X, Y, Z, W;
    }

    /// <summary>Whether the rows of <paramref name="x"/> begin at multiples of four elements, so that they can be taken four at a time.</summary>
    public static bool FitRows(Tensor x)
    {
        bool fit = x.Offset % 4 == 0 && x.Shape[-1] % 4 == 0;
        for (int i = 0; i < x.Shape.Rank - 1; i++)
            fit &= x.Stride(i) % 4 == 0;
        return fit;
    }

    /// <summary>
    /// The elements from <paramref name="place"/> on; zeros from the <paramref name="count"/>th on. <paramref name="packed"/>: not 0 where all places are multiples of four.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float4 Load<T>(ArrayView<T> x, int place, int count, int packed) where T : unmanaged, IElement<T>
    {
        if (packed != 0 && count >= 4)
        {
            var four = x.AsAligned(4 * Interop.SizeOf<T>()).Cast<Packed<T>>()[(int)((uint)place / 4)];
            return new Float4(four.X.ToFloat(), four.Y.ToFloat(), four.Z.ToFloat(), four.W.ToFloat());
        }

        float a = count > 0 ? x[place].ToFloat() : 0, b = count > 1 ? x[place + 1].ToFloat() : 0, c = count > 2 ? x[place + 2].ToFloat() : 0;
        return new Float4(a, b, c, count > 3 ? x[place + 3].ToFloat() : 0);
    }

    /// <summary>Stores <paramref name="value"/> from <paramref name="place"/> on, of it the first <paramref name="count"/> where there are fewer than four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(ArrayView<T> y, int place, int count, int packed, Float4 value) where T : unmanaged, IElement<T>
    {
        T x = default(T).From(value.X), b = default(T).From(value.Y), c = default(T).From(value.Z), d = default(T).From(value.W);
        if (packed != 0 && count >= 4)
        {
            y.AsAligned(4 * Interop.SizeOf<T>()).Cast<Packed<T>>()[(int)((uint)place / 4)] = new Packed<T> { X = x, Y = b, Z = c, W = d };
            return;
        }

        if (count > 0)
            y[place] = x;
        if (count > 1)
            y[place + 1] = b;
        if (count > 2)
            y[place + 2] = c;
        if (count > 3)
            y[place + 3] = d;
    }
}
