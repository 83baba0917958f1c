using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>add, sub, mul, mad, fma, div, rem, abs, neg, min, max over integers, floats and halves.</summary>
internal static unsafe class ArithmeticInstructions
{
    public static bool Decode(PtxDecoder d)
    {
        switch (d.Name)
        {
            case "add":
                return EmitBinary<Add>(d);
            case "sub":
                return EmitBinary<Subtract>(d);
            case "min":
                return d.Take("NaN") ? EmitBinary<MinOrNaN>(d) : EmitBinary<Min>(d);
            case "max":
                return d.Take("NaN") ? EmitBinary<MaxOrNaN>(d) : EmitBinary<Max>(d);
            case "rem":
                return EmitBinary<Remainder>(d);
            case "div":
                d.TakeAny("rn", "approx", "full");
                return EmitBinary<Divide>(d);
            case "abs":
                return EmitUnary<Abs>(d);
            case "neg":
                return EmitUnary<Negate>(d);
            case "fma":
                return EmitMultiplyAdd(d);
            case "mul":
                return d.Take("wide") ? EmitWide(d) : d.Take("hi") ? EmitHigh(d) : EmitProduct(d);
            case "mad":
                return d.Take("wide") ? EmitWide(d) : d.Take("hi") ? EmitHigh(d) : EmitMultiplyAdd(d);
            default:
                return false;
        }
    }

    private static bool EmitProduct(PtxDecoder d)
    {
        d.Take("lo");
        return EmitBinary<Multiply>(d);
    }

    private static bool EmitMultiplyAdd(PtxDecoder d)
    {
        d.TakeAny("lo", "rn");
        bool flush = d.Take("ftz"), saturate = d.Take("sat");
        PtxType type = d.TakeType();
        PtxOperation run = type switch
        {
            PtxType.U16 => &Fma<ushort>,
            PtxType.S16 => &Fma<short>,
            PtxType.U32 => &Fma<uint>,
            PtxType.S32 when !saturate => &Fma<int>,
            PtxType.U64 => &Fma<ulong>,
            PtxType.S64 => &Fma<long>,
            PtxType.F32 => (flush, saturate) switch
            {
                (false, false) => &FusedMultiplyAdd<float, Exact>,
                (true, false) => &FusedMultiplyAdd<float, Flushed>,
                (false, true) => &FusedMultiplyAdd<float, Saturated>,
                _ => &FusedMultiplyAdd<float, FlushedSaturated>,
            },
            PtxType.F64 => &FusedMultiplyAdd<double, Exact>,
            PtxType.F16 => &HalfFma<Binary16>,
            PtxType.BF16 => &HalfFma<BFloat>,
            PtxType.F16x2 => &PackedFma<Binary16>,
            PtxType.BF16x2 => &PackedFma<BFloat>,
            _ => null,
        };
        return d.Emit(run, type);
    }

    private static bool EmitWide(PtxDecoder d)
    {
        PtxType type = d.TakeType();
        bool adds = d.Name == "mad";
        PtxOperation run = type switch
        {
            PtxType.U16 => adds ? &WideAdd<ushort, uint> : &Wide<ushort, uint>,
            PtxType.S16 => adds ? &WideAdd<short, int> : &Wide<short, int>,
            PtxType.U32 => adds ? &WideAdd<uint, ulong> : &Wide<uint, ulong>,
            PtxType.S32 => adds ? &WideAdd<int, long> : &Wide<int, long>,
            _ => null,
        };
        return d.Emit(run, type, type, type.Bytes() == 2 ? PtxType.B32 : PtxType.B64);
    }

    private static bool EmitHigh(PtxDecoder d)
    {
        PtxType type = d.TakeType();
        bool adds = d.Name == "mad";
        PtxOperation run = type switch
        {
            PtxType.U16 => adds ? &HighAdd<ushort> : &High<ushort>,
            PtxType.S16 => adds ? &HighAdd<short> : &High<short>,
            PtxType.U32 => adds ? &HighAdd<uint> : &High<uint>,
            PtxType.S32 => adds ? &HighAdd<int> : &High<int>,
            PtxType.U64 => adds ? &HighAdd<ulong> : &High<ulong>,
            PtxType.S64 => adds ? &HighAdd<long> : &High<long>,
            _ => null,
        };
        return d.Emit(run, type);
    }

    private static bool EmitBinary<TOp>(PtxDecoder d) where TOp : IBinary
    {
        d.Take("rn");
        bool flush = d.Take("ftz"), saturate = d.Take("sat");
        PtxType type = d.TakeType();
        PtxOperation run = type switch
        {
            PtxType.U16 => &Binary<TOp, ushort, Exact>,
            PtxType.S16 => &Binary<TOp, short, Exact>,
            PtxType.U32 => &Binary<TOp, uint, Exact>,
            PtxType.S32 when !saturate => &Binary<TOp, int, Exact>,
            PtxType.U64 => &Binary<TOp, ulong, Exact>,
            PtxType.S64 => &Binary<TOp, long, Exact>,
            PtxType.F32 => (flush, saturate) switch
            {
                (false, false) => &Binary<TOp, float, Exact>,
                (true, false) => &Binary<TOp, float, Flushed>,
                (false, true) => &Binary<TOp, float, Saturated>,
                _ => &Binary<TOp, float, FlushedSaturated>,
            },
            PtxType.F64 => &Binary<TOp, double, Exact>,
            PtxType.F16 => &HalfBinary<TOp, Binary16>,
            PtxType.BF16 => &HalfBinary<TOp, BFloat>,
            PtxType.F16x2 => &PackedBinary<TOp, Binary16>,
            PtxType.BF16x2 => &PackedBinary<TOp, BFloat>,
            _ => null,
        };
        return d.Emit(run, type);
    }

    private static bool EmitUnary<TOp>(PtxDecoder d) where TOp : IUnary
    {
        bool flush = d.Take("ftz");
        PtxType type = d.TakeType();
        PtxOperation run = type switch
        {
            PtxType.S16 => &Unary<TOp, short, Exact>,
            PtxType.S32 => &Unary<TOp, int, Exact>,
            PtxType.S64 => &Unary<TOp, long, Exact>,
            PtxType.F32 => flush ? &Unary<TOp, float, Flushed> : &Unary<TOp, float, Exact>,
            PtxType.F64 => &Unary<TOp, double, Exact>,
            PtxType.F16 => &HalfUnary<TOp, Binary16>,
            PtxType.BF16 => &HalfUnary<TOp, BFloat>,
            PtxType.F16x2 => &PackedUnary<TOp, Binary16>,
            PtxType.BF16x2 => &PackedUnary<TOp, BFloat>,
            _ => null,
        };
        return d.Emit(run, type);
    }

    internal static void Unary<TOp, T, TMode>(ulong* r, PtxInstruction* i, PtxThread t) where TOp : IUnary
        where T : unmanaged, INumber<T> where TMode : IFloatMode =>
            Slots.Write(r, i->D, TMode.Result(TOp.Apply(TMode.Operand(Slots.Read<T>(r, i->A)))));

    private static void Binary<TOp, T, TMode>(ulong* r, PtxInstruction* i, PtxThread t) where TOp : IBinary
        where T : unmanaged, INumber<T> where TMode : IFloatMode
    {
        T b = Slots.Read<T>(r, i->B);
        if ((typeof(TOp) == typeof(Divide) || typeof(TOp) == typeof(Remainder)) && T.IsZero(b)
            && typeof(T) != typeof(float) && typeof(T) != typeof(double))
            throw t.Fault(i, "an integer is divided by zero");
        Slots.Write(r, i->D, TMode.Result(TOp.Apply(TMode.Operand(Slots.Read<T>(r, i->A)), TMode.Operand(b))));
    }

    private static void Fma<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, INumber<T> =>
        Slots.Write(
            r, i->D, Add.Apply(Multiply.Apply(Slots.Read<T>(r, i->A), Slots.Read<T>(r, i->B)), Slots.Read<T>(r, i->C)));

    private static void FusedMultiplyAdd<T, TMode>(ulong* r, PtxInstruction* i, PtxThread t)
        where T : unmanaged, IFloatingPointIeee754<T> where TMode : IFloatMode =>
            Slots.Write(
                r, i->D, TMode.Result(
                    T.FusedMultiplyAdd(
                        TMode.Operand(Slots.Read<T>(r, i->A)), TMode.Operand(Slots.Read<T>(r, i->B)),
                        TMode.Operand(Slots.Read<T>(r, i->C)))));

    private static void Wide<TFrom, TTo>(ulong* r, PtxInstruction* i, PtxThread t)
        where TFrom : unmanaged, IBinaryInteger<TFrom> where TTo : unmanaged, IBinaryInteger<TTo> =>
            Slots.Write(
                r, i->D, TTo.CreateTruncating(Slots.Read<TFrom>(r, i->A))
                * TTo.CreateTruncating(Slots.Read<TFrom>(r, i->B)));

    private static void WideAdd<TFrom, TTo>(ulong* r, PtxInstruction* i, PtxThread t)
        where TFrom : unmanaged, IBinaryInteger<TFrom> where TTo : unmanaged, IBinaryInteger<TTo> =>
            Slots.Write(
                r, i->D, TTo.CreateTruncating(Slots.Read<TFrom>(r, i->A))
                * TTo.CreateTruncating(Slots.Read<TFrom>(r, i->B))
                + Slots.Read<TTo>(r, i->C));

    private static void High<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IBinaryInteger<T> =>
        Slots.Write(r, i->D, UpperHalf(Slots.Read<T>(r, i->A), Slots.Read<T>(r, i->B)));

    private static void HighAdd<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IBinaryInteger<T> =>
        Slots.Write(r, i->D, UpperHalf(Slots.Read<T>(r, i->A), Slots.Read<T>(r, i->B)) + Slots.Read<T>(r, i->C));

    private static T UpperHalf<T>(T a, T b) where T : unmanaged, IBinaryInteger<T>
    {
        if (typeof(T) == typeof(ulong))
            return T.CreateTruncating(Math.BigMul(ulong.CreateTruncating(a), ulong.CreateTruncating(b), out _));
        if (typeof(T) == typeof(long))
            return T.CreateTruncating(Math.BigMul(long.CreateTruncating(a), long.CreateTruncating(b), out _));
        return T.CreateTruncating((long.CreateTruncating(a) * long.CreateTruncating(b)) >> (8 * sizeof(T)));
    }

    private static ushort Half<TOp, TFormat>(ushort a, ushort b) where TOp : IBinary where TFormat : IHalfFormat =>
        TFormat.Round(TOp.Apply(TFormat.ToFloat(a), TFormat.ToFloat(b)));

    private static void HalfBinary<TOp, TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TOp : IBinary
        where TFormat : IHalfFormat =>
            Slots.Write(r, i->D, Half<TOp, TFormat>(Slots.Read<ushort>(r, i->A), Slots.Read<ushort>(r, i->B)));

    private static void PackedBinary<TOp, TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TOp : IBinary
        where TFormat : IHalfFormat
    {
        uint a = Slots.Read<uint>(r, i->A), b = Slots.Read<uint>(r, i->B);
        r[i->D] = Half<TOp, TFormat>((ushort)a, (ushort)b)
            | (uint)Half<TOp, TFormat>((ushort)(a >> 16), (ushort)(b >> 16)) << 16;
    }

    internal static void HalfUnary<TOp, TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TOp : IUnary
        where TFormat : IHalfFormat =>
            Slots.Write(r, i->D, TFormat.Round(TOp.Apply(TFormat.ToFloat(Slots.Read<ushort>(r, i->A)))));

    internal static void PackedUnary<TOp, TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TOp : IUnary
        where TFormat : IHalfFormat
    {
        uint a = Slots.Read<uint>(r, i->A);
        r[i->D] = TFormat.Round(TOp.Apply(TFormat.ToFloat((ushort)a)))
            | (uint)TFormat.Round(TOp.Apply(TFormat.ToFloat((ushort)(a >> 16)))) << 16;
    }

    // In single precision the product of two halves is exact, and for bf16 the sum in double precision nearly so: it is
    // rounded once.
    private static ushort HalfFma<TFormat>(ushort a, ushort b, ushort c) where TFormat : IHalfFormat
    {
        double sum = (double)TFormat.ToFloat(a) * TFormat.ToFloat(b) + TFormat.ToFloat(c);
        return TFormat.Round(ConvertInstructions.ToOdd(sum));
    }

    private static void HalfFma<TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TFormat : IHalfFormat =>
        Slots.Write(
            r, i->D, HalfFma<TFormat>(Slots.Read<ushort>(r, i->A), Slots.Read<ushort>(r, i->B),
                Slots.Read<ushort>(r, i->C)));

    private static void PackedFma<TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TFormat : IHalfFormat
    {
        uint a = Slots.Read<uint>(r, i->A), b = Slots.Read<uint>(r, i->B), c = Slots.Read<uint>(r, i->C);
        r[i->D] = HalfFma<TFormat>((ushort)a, (ushort)b, (ushort)c)
            | (uint)HalfFma<TFormat>((ushort)(a >> 16), (ushort)(b >> 16), (ushort)(c >> 16)) << 16;
    }
}
