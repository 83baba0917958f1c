using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>setp, set, selp, slct.</summary>
internal static unsafe class CompareInstructions
{
    public static bool Decode(PtxDecoder d) => d.Name switch
    {
        "setp" => EmitSetPredicate(d),
        "set" => EmitSet(d),
        "selp" => EmitSelect(d),
        "slct" => EmitSelectBySign(d),
        _ => false,
    };

    private static bool EmitSetPredicate(PtxDecoder d)
    {
        string? comparison = TakeComparison(d), combination = d.TakeAny("and", "or", "xor");
        d.Take("ftz");
        PtxType type = d.TakeType();
        PtxInstruction i = d.New(combination switch
        {
            "and" => Operation<CombineAnd>(comparison, type),
            "or" => Operation<CombineOr>(comparison, type),
            "xor" => Operation<CombineXor>(comparison, type),
            _ => Operation<CombineNone>(comparison, type),
        });
        PtxOperand destination = d.Operand(0);
        if (destination.Kind == PtxOperandKind.Pair)
            (i.D, i.D2) = (d.Destination(destination.Items[0]), d.Destination(destination.Items[1]));
        else
            i.D = d.Destination(0);
        SetOperands(d, ref i, type, combination is not null);
        d.Emit(i);
        return i.Run != null;
    }

    private static void SetOperands(PtxDecoder d, ref PtxInstruction i, PtxType type, bool combines)
    {
        i.A = d.Slot(1, type);
        i.B = d.Slot(2, type);
        if (!combines)
            return;
        i.C = d.Slot(3, PtxType.Pred);
        i.Negated = d.Operand(3).Negated;
    }

    private static string? TakeComparison(PtxDecoder d) =>
        d.TakeAny("eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu",
            "num", "nan");

    private static PtxOperation Operation<TCombine>(string? comparison, PtxType type)
        where TCombine : ICombine => comparison switch
        {
            "eq" => Operation<Equal, TCombine>(type),
            "ne" => Operation<NotEqual, TCombine>(type),
            "lt" or "lo" => Operation<Less, TCombine>(type),
            "le" or "ls" => Operation<LessOrEqual, TCombine>(type),
            "gt" or "hi" => Operation<Greater, TCombine>(type),
            "ge" or "hs" => Operation<GreaterOrEqual, TCombine>(type),
            "equ" => Operation<EqualOrUnordered, TCombine>(type),
            "neu" => Operation<NotEqualOrUnordered, TCombine>(type),
            "ltu" => Operation<LessOrUnordered, TCombine>(type),
            "leu" => Operation<LessEqualOrUnordered, TCombine>(type),
            "gtu" => Operation<GreaterOrUnordered, TCombine>(type),
            "geu" => Operation<GreaterEqualOrUnordered, TCombine>(type),
            "num" => Operation<Ordered, TCombine>(type),
            "nan" => Operation<Unordered, TCombine>(type),
            _ => null,
        };

    private static PtxOperation Operation<TComparison, TCombine>(PtxType type) where TComparison : IComparison
        where TCombine : ICombine => type switch
        {
            PtxType.B16 or PtxType.U16 => &SetPredicate<TComparison, TCombine, ushort>,
            PtxType.S16 => &SetPredicate<TComparison, TCombine, short>,
            PtxType.B32 or PtxType.U32 => &SetPredicate<TComparison, TCombine, uint>,
            PtxType.S32 => &SetPredicate<TComparison, TCombine, int>,
            PtxType.B64 or PtxType.U64 => &SetPredicate<TComparison, TCombine, ulong>,
            PtxType.S64 => &SetPredicate<TComparison, TCombine, long>,
            PtxType.F32 => &SetPredicate<TComparison, TCombine, float>,
            PtxType.F64 => &SetPredicate<TComparison, TCombine, double>,
            PtxType.F16 => &SetPredicateHalf<TComparison, TCombine, Binary16>,
            PtxType.BF16 => &SetPredicateHalf<TComparison, TCombine, BFloat>,
            _ => null,
        };

    private static void SetPredicate<TComparison, TCombine, T>(ulong* r, PtxInstruction* i, PtxThread t)
        where TComparison : IComparison where TCombine : ICombine where T : unmanaged, INumber<T> =>
            Store<TCombine>(r, i, TComparison.Apply(Slots.Read<T>(r, i->A), Slots.Read<T>(r, i->B)));

    private static void SetPredicateHalf<TComparison, TCombine, TFormat>(ulong* r, PtxInstruction* i, PtxThread t)
        where TComparison : IComparison where TCombine : ICombine where TFormat : IHalfFormat =>
            Store<TCombine>(
                r, i, TComparison.Apply(
                    TFormat.ToFloat(Slots.Read<ushort>(r, i->A)), TFormat.ToFloat(Slots.Read<ushort>(r, i->B))));

    private static void Store<TCombine>(ulong* r, PtxInstruction* i, bool holds) where TCombine : ICombine
    {
        bool other = r[i->C] == (i->Negated ? 0ul : 1);
        Slots.WriteBool(r, i->D2, TCombine.Apply(!holds, other));
        Slots.WriteBool(r, i->D, TCombine.Apply(holds, other));
    }

    /// <summary>
    /// set: all ones, or 1.0, where the comparison holds. It is setp into the same slot, and a step that makes a number
    /// of it.
    /// </summary>
    private static bool EmitSet(PtxDecoder d)
    {
        string? comparison = TakeComparison(d);
        d.Take("ftz");
        PtxType result = d.TakeType(), type = d.TakeType();
        if (result is not (PtxType.U32 or PtxType.S32 or PtxType.F32))
            return false;
        PtxInstruction compare = d.New(Operation<CombineNone>(comparison, type)),
            widen = d.New(result == PtxType.F32 ? &WidenToOne : &WidenToOnes);
        compare.D = widen.D = d.Destination(0);
        SetOperands(d, ref compare, type, false);
        d.Emit(compare);
        d.Emit(widen);
        return compare.Run != null;
    }

    private static void WidenToOne(ulong* r, PtxInstruction* i, PtxThread t) => Slots.Write(r, i->D, (float)r[i->D]);

    private static void WidenToOnes(ulong* r, PtxInstruction* i, PtxThread t) => r[i->D] = 0 - r[i->D];

    private static bool EmitSelect(PtxDecoder d)
    {
        PtxType type = d.TakeType();
        return d.Emit(&Select, type, type, PtxType.Pred);
    }

    private static void Select(ulong* r, PtxInstruction* i, PtxThread t) => r[i->D] = r[i->C] == 1 ? r[i->A] : r[i->B];

    private static bool EmitSelectBySign(PtxDecoder d)
    {
        d.Take("ftz");
        PtxType type = d.TakeType(), sign = d.TakeType();
        return d.Emit(
            sign switch { PtxType.S32 => &SelectBySign<int>, PtxType.F32 => &SelectBySign<float>, _ => null }, type,
            type, sign);
    }

    private static void SelectBySign<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, INumber<T> =>
        r[i->D] = Slots.Read<T>(r, i->C) >= T.Zero ? r[i->A] : r[i->B];
}
