namespace TinyLlm.Tests.Support.Ptx;

/// <summary>A floating-point format of 16 bits.</summary>
internal interface IHalfFormat
{
    static abstract float ToFloat(ushort bits);

    /// <summary>The nearest number, ties to even.</summary>
    static abstract ushort Round(float value);

    /// <summary>The nearest number that is not larger in magnitude.</summary>
    static abstract ushort Truncate(float value);
}

internal readonly struct Binary16 : IHalfFormat
{
    public static float ToFloat(ushort bits) => (float)BitConverter.UInt16BitsToHalf(bits);

    public static ushort Round(float value) => float.IsNaN(value) ? (ushort)0x7FFF
        : BitConverter.HalfToUInt16Bits((Half)value);

    public static ushort Truncate(float value)
    {
        ushort rounded = Round(value);
        return float.IsFinite(value) && Math.Abs(ToFloat(rounded)) > Math.Abs(value) ? (ushort)(rounded - 1) : rounded;
    }
}

internal readonly struct BFloat : IHalfFormat
{
    public static float ToFloat(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)0x7FFF : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    public static ushort Truncate(float value) => float.IsNaN(value) ? (ushort)0x7FFF
        : (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
}
