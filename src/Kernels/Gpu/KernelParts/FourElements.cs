using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Whether places are multiples of four, as a type: what a kernel knows when it is compiled leaves no branch between
/// its loads, so that several are under way at once.
/// </summary>
internal interface IPlaces
{
    bool AreFours { get; }
}

/// <summary>All places are multiples of four, and all counts too.</summary>
internal readonly struct Fours : IPlaces
{
    public bool AreFours => true;
}

/// <summary>Places and counts are whatever they are.</summary>
internal readonly struct AnyPlaces : IPlaces
{
    public bool AreFours => false;
}

/// <summary>
/// Four neighbouring elements as a kernel loads and stores them: in one access where they lie at a multiple of four,
/// else one by one. Single elements of two bytes keep too few bytes on their way to use a GPU's memory.
/// </summary>
internal static class FourElements
{
    private struct Packed<T> where T : unmanaged
    {
        public T X, Y, Z, W;
    }

    /// <summary>
    /// Whether the rows of <paramref name="x"/> begin at multiples of four elements, so that they can be taken four at
    /// a time.
    /// </summary>
    public static bool FitRows(Tensor x)
    {
        bool fit = x.Offset % 4 == 0 && x.Shape[-1] % 4 == 0;
        for (int i = 0; i < x.Shape.Rank - 1; i++)
            fit &= x.Stride(i) % 4 == 0;
        return fit;
    }

    /// <summary>
    /// The elements from <paramref name="place"/> on; zeros from the <paramref name="count"/>th on.
    /// <paramref name="packed"/>: not 0 where all places are multiples of four.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float4 Load<T>(ArrayView<T> x, int place, int count, int packed) where T : unmanaged, IElement<T>
    {
        if (packed != 0 && count >= 4)
            return LoadFour(x, place);
        float a = count > 0 ? x[place].ToFloat() : 0, b = count > 1 ? x[place + 1].ToFloat()
            : 0, c = count > 2 ? x[place + 2].ToFloat() : 0;
        return new Float4(a, b, c, count > 3 ? x[place + 3].ToFloat() : 0);
    }

    /// <summary>
    /// Stores <paramref name="value"/> from <paramref name="place"/> on, of it the first <paramref name="count"/> where
    /// there are fewer than four.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(ArrayView<T> y, int place, int count, int packed, Float4 value)
        where T : unmanaged, IElement<T>
    {
        if (packed != 0 && count >= 4)
        {
            StoreFour(y, place, value);
            return;
        }

        if (count > 0)
            y[place] = default(T).From(value.X);
        if (count > 1)
            y[place + 1] = default(T).From(value.Y);
        if (count > 2)
            y[place + 2] = default(T).From(value.Z);
        if (count > 3)
            y[place + 3] = default(T).From(value.W);
    }

    /// <summary>
    /// <see cref="Load{T}(ArrayView{T}, int, int, int)"/>, with what is known of the places in a type.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float4 Load<T, TPlaces>(ArrayView<T> x, int place, int count) where T : unmanaged, IElement<T>
        where TPlaces : unmanaged, IPlaces =>
            default(TPlaces).AreFours ? LoadFour(x, place) : Load(x, place, count, 0);

    /// <summary>
    /// <see cref="Store{T}(ArrayView{T}, int, int, int, Float4)"/>, with what is known of the places in a type.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T, TPlaces>(ArrayView<T> y, int place, int count, Float4 value)
        where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        if (default(TPlaces).AreFours)
            StoreFour(y, place, value);
        else
            Store(y, place, count, 0, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 LoadFour<T>(ArrayView<T> x, int place) where T : unmanaged, IElement<T>
    {
        var four = x.AsAligned(4 * Interop.SizeOf<T>()).Cast<Packed<T>>()[(int)((uint)place / 4)];
        return new Float4(four.X.ToFloat(), four.Y.ToFloat(), four.Z.ToFloat(), four.W.ToFloat());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreFour<T>(ArrayView<T> y, int place, Float4 value) where T : unmanaged, IElement<T>
    {
        T x = default(T).From(value.X), b = default(T).From(value.Y), c = default(T).From(value.Z),
            d = default(T).From(value.W);
        y.AsAligned(4 * Interop.SizeOf<T>()).Cast<Packed<T>>()[(int)((uint)place / 4)] =
            new Packed<T> { X = x, Y = b, Z = c, W = d };
    }
}
