namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// mov between registers, from constants and special registers, and into and out of vectors; cvta between windows and
/// generic addresses.
/// </summary>
internal static unsafe class MoveInstructions
{
    public static bool Decode(PtxDecoder d) => d.Name switch
    {
        "mov" => EmitMove(d),
        "cvta" => EmitConvertAddress(d),
        "isspacep" => EmitIsSpace(d),
        _ => false,
    };

    private static bool EmitMove(PtxDecoder d)
    {
        PtxType type = d.TakeType();
        if (d.Operand(0).Kind == PtxOperandKind.Vector || d.Operand(1).Kind == PtxOperandKind.Vector)
            return EmitVector(d, type);
        if (d.Operand(1).Name is "%clock" or "%clock64" or "%clock_hi" or "%globaltimer" or "%globaltimer_lo")
        {
            PtxInstruction i = d.New(&Clock);
            i.D = d.Destination(0);
            d.Emit(i);
            return true;
        }
        return d.Emit(&Move, type);
    }

    private static bool EmitVector(PtxDecoder d, PtxType type)
    {
        bool packs = d.Operand(1).Kind == PtxOperandKind.Vector;
        PtxInstruction i = d.New(null);
        var elements = d.Vector(packs ? 1 : 0, PtxType.B64, !packs);
        d.SetOperands(ref i, elements);
        i.Immediate = 8 * type.Bytes() / elements.Count;
        i.Run = packs ? &Pack : &Unpack;
        if (packs)
            i.D = d.Destination(0);
        else
            i.A = d.Slot(1, type);
        d.Emit(i);
        return elements.Count is 2 or 4;
    }

    private static void Move(ulong* r, PtxInstruction* i, PtxThread t) => r[i->D] = r[i->A];

    /// <summary>Time as instructions of the block.</summary>
    private static void Clock(ulong* r, PtxInstruction* i, PtxThread t) => r[i->D] = (ulong)t.Block.Instructions;

    private static void Pack(ulong* r, PtxInstruction* i, PtxThread t)
    {
        int bits = (int)i->Immediate;
        ulong mask = (1ul << bits) - 1, value = 0;
        for (int n = 0; n < i->OperandCount; n++)
            value |= (r[i->Operands[n]] & mask) << (n * bits);
        r[i->D] = value;
    }

    private static void Unpack(ulong* r, PtxInstruction* i, PtxThread t)
    {
        int bits = (int)i->Immediate;
        ulong mask = (1ul << bits) - 1, value = r[i->A];
        for (int n = 0; n < i->OperandCount; n++)
            r[i->Operands[n]] = (value >> (n * bits)) & mask;
    }

    private static bool EmitConvertAddress(PtxDecoder d)
    {
        bool toSpace = d.Take("to");
        string? space = d.TakeAny("global", "shared", "local", "const", "param", "shared::cta");
        PtxType type = d.TakeType();
        PtxOperation run = space switch
        {
            "shared" or "shared::cta" => toSpace ? &GenericToShared : &SharedToGeneric,
            "local" => toSpace ? &GenericToLocal : &LocalToGeneric,
            "param" when !toSpace => &ParameterToGeneric,
            "global" or "const" => &Move,
            _ => null,
        };
        return d.Emit(run, type);
    }

    private static void GenericToShared(ulong* r, PtxInstruction* i, PtxThread t) =>
        r[i->D] = r[i->A] - PtxMemory.SharedWindow;

    private static void SharedToGeneric(ulong* r, PtxInstruction* i, PtxThread t) =>
        r[i->D] = r[i->A] + PtxMemory.SharedWindow;

    private static void GenericToLocal(ulong* r, PtxInstruction* i, PtxThread t) =>
        r[i->D] = r[i->A] - PtxMemory.LocalWindow;

    private static void LocalToGeneric(ulong* r, PtxInstruction* i, PtxThread t) =>
        r[i->D] = r[i->A] + PtxMemory.LocalWindow;

    private static void ParameterToGeneric(ulong* r, PtxInstruction* i, PtxThread t) =>
        r[i->D] = r[i->A] + PtxMemory.ParameterWindow;

    private static bool EmitIsSpace(PtxDecoder d)
    {
        PtxOperation run = d.TakeAny("global", "shared", "local", "shared::cta") switch
        {
            "global" => &IsGlobal,
            "local" => &IsLocal,
            null => null,
            _ => &IsShared,
        };
        return d.Emit(run, PtxType.B64);
    }

    private static void IsGlobal(ulong* r, PtxInstruction* i, PtxThread t) =>
        Slots.WriteBool(r, i->D, !PtxMemory.IsShared(r[i->A]) && !PtxMemory.IsLocal(r[i->A]));

    private static void IsShared(ulong* r, PtxInstruction* i, PtxThread t) =>
        Slots.WriteBool(r, i->D, PtxMemory.IsShared(r[i->A]));

    private static void IsLocal(ulong* r, PtxInstruction* i, PtxThread t) =>
        Slots.WriteBool(r, i->D, PtxMemory.IsLocal(r[i->A]));
}
