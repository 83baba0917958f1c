using ILGPU;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// An element type of tensors on a GPU. Kernels are written once for all of them: they load an element, compute in
/// single precision, and store the result rounded.
/// </summary>
/// <typeparam name="T">The type itself.</typeparam>
internal interface IElement<T> where T : unmanaged
{
    /// <summary>The value in single precision, exactly.</summary>
    float ToFloat();

    /// <summary>
    /// The nearest element to <paramref name="value"/>; called on any instance, because kernels know no static abstract
    /// members.
    /// </summary>
    T From(float value);
}

/// <summary>An element of a <see cref="DType.F32"/> tensor.</summary>
internal readonly struct Float32 : IElement<Float32>
{
    private readonly float value;

    private Float32(float value) => this.value = value;

    public float ToFloat() => value;

    public Float32 From(float value) => new(value);
}

/// <summary>An element of a <see cref="DType.BF16"/> tensor: the upper half of a single-precision number.</summary>
internal readonly struct BFloat16 : IElement<BFloat16>
{
    private readonly ushort bits;

    private BFloat16(ushort bits) => this.bits = bits;

    public float ToFloat() => Interop.IntAsFloat((uint)bits << 16);

    public BFloat16 From(float value) => new(RoundToBits(Interop.FloatAsInt(value)));

    /// <summary>The nearest single-precision number that an element can hold.</summary>
    public static float Round(float value) => default(BFloat16).From(value).ToFloat();

    /// <summary>
    /// The upper half of a single-precision number, rounded to nearest, ties to even; NaN stays NaN, and too large
    /// numbers become infinite.
    /// </summary>
    public static ushort RoundToBits(uint single)
    {
        uint rounded = (single + 0x7FFF + ((single >> 16) & 1)) >> 16;
        bool isNan = (single & 0x7FFFFFFF) > 0x7F800000;
        return (ushort)(isNan ? (single >> 16) | 0x40 : rounded);
    }
}
