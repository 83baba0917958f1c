using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>cvt in all its forms.</summary>
internal static unsafe class ConvertInstructions
{
    private enum Rounding
    {
        NearestEven,
        Zero,
        Down,
        Up,
    }

    public static bool Decode(PtxDecoder d)
    {
        if (d.Name != "cvt")
            return false;
        string? rounding = d.TakeAny("rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi", "rna");
        bool flush = d.Take("ftz"), saturate = d.Take("sat"), relu = d.Take("relu");
        PtxType to = d.TakeType(), from = d.TakeType();
        if (to is PtxType.F16x2 or PtxType.BF16x2)
            return from == PtxType.F32 && EmitPacked(d, to, rounding, relu);
        if (to == PtxType.TF32)
            return from == PtxType.F32 && rounding == "rna" && d.Emit(&ToTf32, from);
        if (relu)
            return false;

        PtxInstruction i = d.New(Operation(from, to, saturate));
        i.D = d.Destination(0);
        i.A = d.Slot(1, from);
        Rounding mode = rounding switch
        {
            "rz" or "rzi" => Rounding.Zero,
            "rm" or "rmi" => Rounding.Down,
            "rp" or "rpi" => Rounding.Up,
            _ => Rounding.NearestEven
        };
        i.Immediate = Pack(mode, rounding?.EndsWith('i') == true, flush, saturate);
        d.Emit(i);
        return i.Run != null && rounding != "rna";
    }

    private static long Pack(Rounding mode, bool toInteger, bool flush, bool saturate) =>
        (long)mode | (toInteger ? 4L : 0) | (flush ? 8L : 0) | (saturate ? 16L : 0);

    private static PtxOperation Operation(PtxType from, PtxType to, bool saturate) => from switch
    {
        PtxType.U8 or PtxType.B8 => FromInteger<byte>(to, saturate),
        PtxType.S8 => FromInteger<sbyte>(to, saturate),
        PtxType.U16 or PtxType.B16 => FromInteger<ushort>(to, saturate),
        PtxType.S16 => FromInteger<short>(to, saturate),
        PtxType.U32 or PtxType.B32 => FromInteger<uint>(to, saturate),
        PtxType.S32 => FromInteger<int>(to, saturate),
        PtxType.U64 or PtxType.B64 => FromInteger<ulong>(to, saturate),
        PtxType.S64 => FromInteger<long>(to, saturate),
        PtxType.F16 => FromFloat<HalfSource<Binary16>>(to),
        PtxType.BF16 => FromFloat<HalfSource<BFloat>>(to),
        PtxType.F32 => FromFloat<SingleSource>(to),
        PtxType.F64 => FromFloat<DoubleSource>(to),
        _ => null,
    };

    private static PtxOperation FromInteger<T>(PtxType to, bool saturate)
        where T : unmanaged, IBinaryInteger<T> => to switch
        {
            PtxType.U8 or PtxType.B8 => saturate ? &Clamp<T, byte> : &Chop<T, byte>,
            PtxType.S8 => saturate ? &Clamp<T, sbyte> : &Chop<T, sbyte>,
            PtxType.U16 or PtxType.B16 => saturate ? &Clamp<T, ushort> : &Chop<T, ushort>,
            PtxType.S16 => saturate ? &Clamp<T, short> : &Chop<T, short>,
            PtxType.U32 or PtxType.B32 => saturate ? &Clamp<T, uint> : &Chop<T, uint>,
            PtxType.S32 => saturate ? &Clamp<T, int> : &Chop<T, int>,
            PtxType.U64 or PtxType.B64 => saturate ? &Clamp<T, ulong> : &Chop<T, ulong>,
            PtxType.S64 => saturate ? &Clamp<T, long> : &Chop<T, long>,
            PtxType.F32 => &IntegerToSingle<T>,
            PtxType.F64 => &IntegerToDouble<T>,
            PtxType.F16 => &IntegerToHalf<T, Binary16>,
            PtxType.BF16 => &IntegerToHalf<T, BFloat>,
            _ => null,
        };

    private static PtxOperation FromFloat<TSource>(PtxType to) where TSource : ISource => to switch
    {
        PtxType.U8 => &FloatToInteger<TSource, byte>,
        PtxType.S8 => &FloatToInteger<TSource, sbyte>,
        PtxType.U16 => &FloatToInteger<TSource, ushort>,
        PtxType.S16 => &FloatToInteger<TSource, short>,
        PtxType.U32 => &FloatToInteger<TSource, uint>,
        PtxType.S32 => &FloatToInteger<TSource, int>,
        PtxType.U64 => &FloatToInteger<TSource, ulong>,
        PtxType.S64 => &FloatToInteger<TSource, long>,
        PtxType.F16 => &FloatToHalf<TSource, Binary16>,
        PtxType.BF16 => &FloatToHalf<TSource, BFloat>,
        PtxType.F32 => &FloatToSingle<TSource>,
        PtxType.F64 => &FloatToDouble<TSource>,
        _ => null,
    };

    private static void Chop<TFrom, TTo>(ulong* r, PtxInstruction* i, PtxThread t)
        where TFrom : unmanaged, IBinaryInteger<TFrom> where TTo : unmanaged, IBinaryInteger<TTo> =>
            Slots.Write(r, i->D, TTo.CreateTruncating(Slots.Read<TFrom>(r, i->A)));

    private static void Clamp<TFrom, TTo>(ulong* r, PtxInstruction* i, PtxThread t)
        where TFrom : unmanaged, IBinaryInteger<TFrom> where TTo : unmanaged, IBinaryInteger<TTo> =>
            Slots.Write(r, i->D, TTo.CreateSaturating(Slots.Read<TFrom>(r, i->A)));

    private static void IntegerToSingle<T>(ulong* r, PtxInstruction* i, PtxThread t)
        where T : unmanaged, IBinaryInteger<T>
    {
        T value = Slots.Read<T>(r, i->A);
        if (sizeof(T) < 8)
        {
            double exact = double.CreateTruncating(value);
            Slots.Write(r, i->D, Adjust((float)exact, ((double)(float)exact).CompareTo(exact), i));
            return;
        }
        Int128 wide = Int128.CreateTruncating(value);
        var nearest = (float)(double)Sticky(wide);
        Slots.Write(r, i->D, Adjust(nearest, ((Int128)nearest).CompareTo(wide), i));
    }

    /// <summary>
    /// The value with what lies below the 40th bit folded into one bit, so that the way over double precision rounds
    /// but once.
    /// </summary>
    private static Int128 Sticky(Int128 value)
    {
        int low = Math.Max(0, 128 - (int)Int128.LeadingZeroCount(Int128.Abs(value)) - 40);
        Int128 kept = value >> low << low;
        return kept == value ? value : kept | ((Int128)1 << low);
    }

    private static void IntegerToDouble<T>(ulong* r, PtxInstruction* i, PtxThread t)
        where T : unmanaged, IBinaryInteger<T>
    {
        Int128 value = Int128.CreateTruncating(Slots.Read<T>(r, i->A));
        double nearest = (double)value;
        int comparison = ((Int128)nearest).CompareTo(value);
        Rounding mode = Mode(i);
        if (comparison != 0 && mode != Rounding.NearestEven
            && comparison > 0 == (mode == Rounding.Down || (mode == Rounding.Zero && value > 0)))
            nearest = comparison > 0 ? Math.BitDecrement(nearest) : Math.BitIncrement(nearest);
        Slots.Write(r, i->D, nearest);
    }

    private static void IntegerToHalf<T, TFormat>(ulong* r, PtxInstruction* i, PtxThread t)
        where T : unmanaged, IBinaryInteger<T> where TFormat : IHalfFormat
    {
        Int128 value = Int128.CreateTruncating(Slots.Read<T>(r, i->A));
        float single = ToOdd((double)Sticky(value));
        Slots.Write(r, i->D, Mode(i) == Rounding.Zero ? TFormat.Truncate(single) : TFormat.Round(single));
    }

    private static Rounding Mode(PtxInstruction* i) => (Rounding)(i->Immediate & 3);

    /// <summary>
    /// Moves a nearest number that lies above (1) or below (-1) the exact value to the side that the rounding asks for.
    /// </summary>
    private static float Adjust(float nearest, int side, PtxInstruction* i)
    {
        if (side == 0 || Mode(i) == Rounding.NearestEven)
            return nearest;
        bool wantsBelow = Mode(i) == Rounding.Down || (Mode(i) == Rounding.Zero && nearest > 0);
        if (side > 0 && wantsBelow)
            return MathF.BitDecrement(nearest);
        return side < 0 && !wantsBelow ? MathF.BitIncrement(nearest) : nearest;
    }

    private static double Prepared<TSource>(ulong* r, PtxInstruction* i) where TSource : ISource
    {
        double value = TSource.Read(r, i->A);
        if ((i->Immediate & 8) != 0 && typeof(TSource) == typeof(SingleSource) && float.IsSubnormal((float)value))
            value *= 0;
        if ((i->Immediate & 4) != 0)
            value = ToWhole(value, Mode(i));
        return value;
    }

    private static double ToWhole(double value, Rounding mode) => mode switch
    {
        Rounding.Zero => Math.Truncate(value),
        Rounding.Down => Math.Floor(value),
        Rounding.Up => Math.Ceiling(value),
        _ => Math.Round(value, MidpointRounding.ToEven),
    };

    private static void FloatToInteger<TSource, T>(ulong* r, PtxInstruction* i, PtxThread t) where TSource : ISource
        where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        double value = Prepared<TSource>(r, i);
        // A NaN becomes 0, or the highest bit alone where double precision or 64 bits are involved.
        if (double.IsNaN(value))
        {
            Slots.Write(
                r, i->D, typeof(TSource) == typeof(DoubleSource) || sizeof(T) == 8 ? T.One << (8 * sizeof(T) - 1)
                : T.Zero);
        }
        else
            Slots.Write(r, i->D, T.CreateSaturating(value));
    }

    private static void FloatToSingle<TSource>(ulong* r, PtxInstruction* i, PtxThread t) where TSource : ISource
    {
        double value = Saturate(Prepared<TSource>(r, i), i);
        float single = Adjust((float)value, ((double)(float)value).CompareTo(value), i);
        if ((i->Immediate & 8) != 0 && float.IsSubnormal(single))
            single *= 0;
        Slots.Write(r, i->D, single);
    }

    private static void FloatToDouble<TSource>(ulong* r, PtxInstruction* i, PtxThread t) where TSource : ISource =>
        Slots.Write(r, i->D, Saturate(Prepared<TSource>(r, i), i));

    private static void FloatToHalf<TSource, TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TSource : ISource
        where TFormat : IHalfFormat
    {
        float value = ToOdd(Saturate(Prepared<TSource>(r, i), i));
        Slots.Write(r, i->D, Mode(i) == Rounding.Zero ? TFormat.Truncate(value) : TFormat.Round(value));
    }

    /// <summary>
    /// To single precision with the last bit set if anything was cut off: rounding the result again gives what rounding
    /// the value would have.
    /// </summary>
    internal static float ToOdd(double value)
    {
        var nearest = (float)value;
        if (!double.IsFinite(value) || nearest == value)
            return nearest;
        float towardsZero = Math.Abs((double)nearest) > Math.Abs(value)
            ? BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(nearest) - 1) : nearest;
        return BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(towardsZero) | 1);
    }

    private static double Saturate(double value, PtxInstruction* i) => (i->Immediate & 16) == 0 ? value
        : double.IsNaN(value) ? 0 : Math.Clamp(value, 0, 1);

    /// <summary>cvt.rn.bf16x2.f32 d, a, b: a becomes the upper half, b the lower.</summary>
    private static bool EmitPacked(PtxDecoder d, PtxType to, string? rounding, bool relu)
    {
        PtxOperation run = (to, rounding) switch
        {
            (PtxType.F16x2, "rn") => &ToPacked<Binary16>,
            (PtxType.BF16x2, "rn") => &ToPacked<BFloat>,
            (PtxType.F16x2, "rz") => &ToPackedTruncated<Binary16>,
            (PtxType.BF16x2, "rz") => &ToPackedTruncated<BFloat>,
            _ => null,
        };
        PtxInstruction i = d.New(run);
        i.D = d.Destination(0);
        i.A = d.Slot(1, PtxType.F32);
        i.B = d.Slot(2, PtxType.F32);
        i.Immediate = relu ? 1 : 0;
        d.Emit(i);
        return run != null;
    }

    private static float Relu(float value, PtxInstruction* i) => i->Immediate != 0 && value < 0 ? 0 : value;

    private static void ToPacked<TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TFormat : IHalfFormat =>
        r[i->D] = (uint)TFormat.Round(Relu(Slots.Read<float>(r, i->A), i)) << 16
        | TFormat.Round(Relu(Slots.Read<float>(r, i->B), i));

    private static void ToPackedTruncated<TFormat>(ulong* r, PtxInstruction* i, PtxThread t)
        where TFormat : IHalfFormat =>
            r[i->D] = (uint)TFormat.Truncate(Relu(Slots.Read<float>(r, i->A), i)) << 16
            | TFormat.Truncate(Relu(Slots.Read<float>(r, i->B), i));

    /// <summary>Ten bits of mantissa, to nearest, ties away from zero.</summary>
    private static void ToTf32(ulong* r, PtxInstruction* i, PtxThread t)
    {
        uint bits = Slots.Read<uint>(r, i->A);
        bool finite = (bits & 0x7F800000) != 0x7F800000;
        r[i->D] = finite ? (bits + 0x1000) & 0xFFFFE000 : bits;
    }

    private interface ISource
    {
        static abstract double Read(ulong* r, int slot);
    }

    private readonly struct SingleSource : ISource
    {
        public static double Read(ulong* r, int slot) => Slots.Read<float>(r, slot);
    }

    private readonly struct DoubleSource : ISource
    {
        public static double Read(ulong* r, int slot) => Slots.Read<double>(r, slot);
    }

    private readonly struct HalfSource<TFormat> : ISource where TFormat : IHalfFormat
    {
        public static double Read(ulong* r, int slot) => TFormat.ToFloat(Slots.Read<ushort>(r, slot));
    }
}
