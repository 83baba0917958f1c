using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// Roots, reciprocals, exponentials and the like. Approximate ones are computed exactly and rounded: cards may be off
/// by a few units in the last place, tanh by 2^-11.
/// </summary>
internal static unsafe class FloatInstructions
{
    public static bool Decode(PtxDecoder d)
    {
        switch (d.Name)
        {
            case "sqrt":
                return Emit<SquareRoot>(d);
            case "rsqrt":
                return Emit<ReciprocalRoot>(d);
            case "rcp":
                return Emit<Reciprocal>(d);
            case "ex2":
                return Emit<Exp2>(d);
            case "lg2":
                return Emit<Log2>(d);
            case "sin":
                return Emit<Sine>(d);
            case "cos":
                return Emit<Cosine>(d);
            case "tanh":
                return Emit<HyperbolicTangent>(d);
            case "copysign":
                PtxType type = d.TakeType();
                return d.Emit(
                    type == PtxType.F32 ? &CopySign<float> : type == PtxType.F64 ? &CopySign<double> : null, type);
            case "testp":
                return EmitTest(d);
            default:
                return false;
        }
    }

    private static bool Emit<TOp>(PtxDecoder d) where TOp : IFloatUnary
    {
        d.TakeAny("rn", "approx");
        bool flush = d.Take("ftz");
        PtxType type = d.TakeType();
        PtxOperation run = type switch
        {
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

    private static bool EmitTest(PtxDecoder d)
    {
        string? test = d.TakeAny("finite", "infinite", "number", "notanumber", "normal", "subnormal");
        PtxType type = d.TakeType();
        PtxInstruction i = d.New(type switch { PtxType.F32 => &Test<float>, PtxType.F64 => &Test<double>, _ => null });
        i.D = d.Destination(0);
        i.A = d.Slot(1, type);
        i.Immediate = test is null ? -1
            : Array.IndexOf(["finite", "infinite", "number", "notanumber", "normal", "subnormal"], test);
        d.Emit(i);
        return test is not null && type is PtxType.F32 or PtxType.F64;
    }

    private static void Test<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T a = Slots.Read<T>(r, i->A);
        Slots.WriteBool(r, i->D, i->Immediate switch
        {
            0 => T.IsFinite(a),
            1 => T.IsInfinity(a),
            2 => !T.IsNaN(a),
            3 => T.IsNaN(a),
            4 => T.IsNormal(a),
            _ => T.IsSubnormal(a),
        });
    }

    /// <summary>The magnitude of the second operand with the sign of the first.</summary>
    private static void CopySign<T>(ulong* r, PtxInstruction* i, PtxThread t)
        where T : unmanaged, IFloatingPointIeee754<T> =>
            Slots.Write(r, i->D, T.CopySign(Slots.Read<T>(r, i->B), Slots.Read<T>(r, i->A)));

    private static void Unary<TOp, T, TMode>(ulong* r, PtxInstruction* i, PtxThread t) where TOp : IFloatUnary
        where T : unmanaged, IFloatingPointIeee754<T> where TMode : IFloatMode =>
            Slots.Write(
                r, i->D, TMode.Result(
                    T.CreateTruncating(TOp.Apply(double.CreateTruncating(TMode.Operand(Slots.Read<T>(r, i->A)))))));

    private static ushort Half<TOp, TFormat>(ushort a) where TOp : IFloatUnary
        where TFormat : IHalfFormat => TFormat.Round((float)TOp.Apply(TFormat.ToFloat(a)));

    private static void HalfUnary<TOp, TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TOp : IFloatUnary
        where TFormat : IHalfFormat =>
            Slots.Write(r, i->D, Half<TOp, TFormat>(Slots.Read<ushort>(r, i->A)));

    private static void PackedUnary<TOp, TFormat>(ulong* r, PtxInstruction* i, PtxThread t) where TOp : IFloatUnary
        where TFormat : IHalfFormat
    {
        uint a = Slots.Read<uint>(r, i->A);
        r[i->D] = Half<TOp, TFormat>((ushort)a) | (uint)Half<TOp, TFormat>((ushort)(a >> 16)) << 16;
    }

    private interface IFloatUnary
    {
        static abstract double Apply(double a);
    }

    private readonly struct SquareRoot : IFloatUnary
    {
        public static double Apply(double a) => Math.Sqrt(a);
    }

    private readonly struct ReciprocalRoot : IFloatUnary
    {
        public static double Apply(double a) => 1 / Math.Sqrt(a);
    }

    private readonly struct Reciprocal : IFloatUnary
    {
        public static double Apply(double a) => 1 / a;
    }

    private readonly struct Exp2 : IFloatUnary
    {
        public static double Apply(double a) => double.Exp2(a);
    }

    private readonly struct Log2 : IFloatUnary
    {
        public static double Apply(double a) => Math.Log2(a);
    }

    private readonly struct Sine : IFloatUnary
    {
        public static double Apply(double a) => Math.Sin(a);
    }

    private readonly struct Cosine : IFloatUnary
    {
        public static double Apply(double a) => Math.Cos(a);
    }

    private readonly struct HyperbolicTangent : IFloatUnary
    {
        public static double Apply(double a) => Math.Tanh(a);
    }
}
