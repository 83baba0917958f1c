namespace TinyLlm.Kernels;

/// <summary>The element type of a <see cref="Tensor"/>.</summary>
public enum DType
{
    /// <summary>IEEE 754 single precision, 4 bytes.</summary>
    F32,

    /// <summary>bfloat16: the upper half of an <see cref="F32"/>, 2 bytes.</summary>
    BF16,

    /// <summary>Signed 32-bit integer, 4 bytes: token ids, positions, device-side step state.</summary>
    I32,

    /// <summary>Signed 8-bit integer, 1 byte: weights, as <see cref="QuantizedMatrix"/> keeps them.</summary>
    I8,
}

/// <summary>Sizes of the element types.</summary>
public static class DTypeExtensions
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this DType dtype) => dtype switch
    {
        DType.I8 => 1,
        DType.BF16 => 2,
        _ => 4,
    };
}
