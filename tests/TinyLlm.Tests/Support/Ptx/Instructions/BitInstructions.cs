using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>Logic, shifts, and instructions on fields of bits.</summary>
internal static unsafe class BitInstructions
{
    public static bool Decode(PtxDecoder d) => d.Name switch
    {
        "and" => EmitLogic(d, &And),
        "or" => EmitLogic(d, &Or),
        "xor" => EmitLogic(d, &Xor),
        "not" => d.Has("pred") ? EmitLogic(d, &NotPredicate) : EmitLogic(d, &Not),
        "cnot" => EmitIsZero(d),
        "shl" or "shr" => EmitShift(d),
        "popc" or "clz" or "brev" or "bfind" => EmitCount(d),
        "bfe" => EmitExtract(d),
        "bfi" => EmitInsert(d),
        "prmt" => d.TakeType() == PtxType.B32 && d.Emit(&Permute, PtxType.B32),
        "lop3" => EmitTruthTable(d),
        "shf" => EmitFunnel(d),
        _ => false,
    };

    private static bool EmitLogic(PtxDecoder d, PtxOperation run) => d.Emit(run, d.TakeType());

    private static bool EmitIsZero(PtxDecoder d)
    {
        PtxType type = d.TakeType();
        return d.Emit(
            type switch
            {
                PtxType.B16 => &IsZero<ushort>,
                PtxType.B32 => &IsZero<uint>,
                PtxType.B64 => &IsZero<ulong>,
                _ => null
            }, type);
    }

    private static bool EmitShift(PtxDecoder d)
    {
        PtxType type = d.TakeType();
        PtxOperation run = (d.Name, type) switch
        {
            ("shl", PtxType.B16) => &ShiftLeft<ushort>,
            ("shl", PtxType.B32) => &ShiftLeft<uint>,
            ("shl", PtxType.B64) => &ShiftLeft<ulong>,
            ("shr", PtxType.B16 or PtxType.U16) => &ShiftRight<ushort>,
            ("shr", PtxType.B32 or PtxType.U32) => &ShiftRight<uint>,
            ("shr", PtxType.B64 or PtxType.U64) => &ShiftRight<ulong>,
            ("shr", PtxType.S16) => &ShiftRight<short>,
            ("shr", PtxType.S32) => &ShiftRight<int>,
            ("shr", PtxType.S64) => &ShiftRight<long>,
            _ => null,
        };
        return d.Emit(run, type, PtxType.U32, type);
    }

    private static bool EmitCount(PtxDecoder d)
    {
        bool shiftAmount = d.Take("shiftamt");
        PtxType type = d.TakeType();
        PtxOperation run = (d.Name, type) switch
        {
            ("popc", PtxType.B32) => &PopCount<uint>,
            ("popc", PtxType.B64) => &PopCount<ulong>,
            ("clz", PtxType.B32) => &LeadingZeros<uint>,
            ("clz", PtxType.B64) => &LeadingZeros<ulong>,
            ("brev", PtxType.B32) => &Reverse<uint>,
            ("brev", PtxType.B64) => &Reverse<ulong>,
            ("bfind", PtxType.U32) when !shiftAmount => &HighestBit<uint>,
            ("bfind", PtxType.U64) when !shiftAmount => &HighestBit<ulong>,
            _ => null,
        };
        return d.Emit(run, type);
    }

    private static bool EmitExtract(PtxDecoder d)
    {
        PtxType type = d.TakeType();
        PtxOperation run = type switch
        {
            PtxType.U32 => &Extract<uint>,
            PtxType.U64 => &Extract<ulong>,
            PtxType.S32 => &Extract<int>,
            PtxType.S64 => &Extract<long>,
            _ => null,
        };
        return d.Emit(run, type, PtxType.U32, PtxType.U32);
    }

    private static bool EmitInsert(PtxDecoder d)
    {
        PtxType type = d.TakeType();
        PtxInstruction i = d.New(type.Bytes() == 8 ? &Insert<ulong> : &Insert<uint>);
        i.D = d.Destination(0);
        i.A = d.Slot(1, type);
        i.B = d.Slot(2, type);
        d.SetOperands(ref i, [d.Slot(3, PtxType.U32), d.Slot(4, PtxType.U32)]);
        d.Emit(i);
        return type is PtxType.B32 or PtxType.B64;
    }

    private static bool EmitTruthTable(PtxDecoder d)
    {
        PtxInstruction i = d.New(&TruthTable);
        PtxType type = d.TakeType();
        i.D = d.Destination(0);
        i.A = d.Slot(1, type);
        i.B = d.Slot(2, type);
        i.C = d.Slot(3, type);
        i.Immediate = d.Operand(4).Integer;
        d.Emit(i);
        return type == PtxType.B32 && d.OperandCount == 5;
    }

    private static bool EmitFunnel(PtxDecoder d)
    {
        bool left = d.Take("l"), wrap = d.Take("wrap");
        if ((!left && !d.Take("r")) || (!wrap && !d.Take("clamp")) || d.TakeType() != PtxType.B32)
            return false;
        return d.Emit(
            left ? wrap ? &FunnelLeftWrap : &FunnelLeftClamp : wrap ? &FunnelRightWrap
            : &FunnelRightClamp, PtxType.B32);
    }

    private static void And(ulong* r, PtxInstruction* i, PtxThread t) => r[i->D] = r[i->A] & r[i->B];

    private static void Or(ulong* r, PtxInstruction* i, PtxThread t) => r[i->D] = r[i->A] | r[i->B];

    private static void Xor(ulong* r, PtxInstruction* i, PtxThread t) => r[i->D] = r[i->A] ^ r[i->B];

    private static void Not(ulong* r, PtxInstruction* i, PtxThread t) => r[i->D] = ~r[i->A];

    private static void NotPredicate(ulong* r, PtxInstruction* i, PtxThread t) => r[i->D] = r[i->A] ^ 1;

    private static void IsZero<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IBinaryInteger<T> =>
        r[i->D] = T.IsZero(Slots.Read<T>(r, i->A)) ? 1ul : 0;

    // Amounts above the width count as the width.
    private static void ShiftLeft<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IBinaryInteger<T>
    {
        uint amount = Slots.Read<uint>(r, i->B);
        Slots.Write(r, i->D, amount >= 8 * sizeof(T) ? T.Zero : Slots.Read<T>(r, i->A) << (int)amount);
    }

    private static void ShiftRight<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IBinaryInteger<T>
    {
        uint amount = Slots.Read<uint>(r, i->B);
        T a = Slots.Read<T>(r, i->A);
        Slots.Write(r, i->D, amount < 8 * sizeof(T) ? a >> (int)amount : T.IsNegative(a) ? T.Zero - T.One : T.Zero);
    }

    private static void PopCount<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IBinaryInteger<T> =>
        r[i->D] = ulong.CreateTruncating(T.PopCount(Slots.Read<T>(r, i->A)));

    private static void LeadingZeros<T>(ulong* r, PtxInstruction* i, PtxThread t)
        where T : unmanaged, IBinaryInteger<T> =>
            r[i->D] = ulong.CreateTruncating(T.LeadingZeroCount(Slots.Read<T>(r, i->A)));

    /// <summary>The number of the highest 1, or -1 where there is none.</summary>
    private static void HighestBit<T>(ulong* r, PtxInstruction* i, PtxThread t)
        where T : unmanaged, IBinaryInteger<T> =>
            r[i->D] = (uint)(8 * sizeof(T) - 1 - int.CreateTruncating(T.LeadingZeroCount(Slots.Read<T>(r, i->A))));

    private static void Reverse<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IBinaryInteger<T>
    {
        T a = Slots.Read<T>(r, i->A), reversed = T.Zero;
        for (int bit = 0; bit < 8 * sizeof(T); bit++, a >>= 1)
            reversed = (reversed << 1) | (a & T.One);
        Slots.Write(r, i->D, reversed);
    }

    private static void Extract<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IBinaryInteger<T>
    {
        T a = Slots.Read<T>(r, i->A), field = T.Zero;
        int place = (byte)r[i->B], length = (byte)r[i->C], last = 8 * sizeof(T) - 1;
        // Unsigned types read as not negative, so their fields are filled up with zeros.
        bool fill = length > 0 && T.IsNegative(a << (last - Math.Min(place + length - 1, last)));
        for (int bit = 0; bit <= last; bit++)
        {
            bool set = bit < length && place + bit <= last ? !T.IsZero((a >> (place + bit)) & T.One) : fill;
            if (set)
                field |= T.One << bit;
        }
        Slots.Write(r, i->D, field);
    }

    private static void Insert<T>(ulong* r, PtxInstruction* i, PtxThread t) where T : unmanaged, IBinaryInteger<T>
    {
        T a = Slots.Read<T>(r, i->A), result = Slots.Read<T>(r, i->B);
        int place = (byte)r[i->Operands[0]], length = (byte)r[i->Operands[1]];
        for (int bit = 0; bit < length && place + bit < 8 * sizeof(T); bit++)
        {
            T mask = T.One << (place + bit);
            result = T.IsZero((a >> bit) & T.One) ? result & ~mask : result | mask;
        }
        Slots.Write(r, i->D, result);
    }

    /// <summary>Each of four selectors takes a byte of b:a; its highest bit replicates the byte's sign.</summary>
    private static void Permute(ulong* r, PtxInstruction* i, PtxThread t)
    {
        ulong bytes = Slots.Read<uint>(r, i->A) | (ulong)Slots.Read<uint>(r, i->B) << 32;
        uint selectors = Slots.Read<uint>(r, i->C), result = 0;
        for (int n = 0; n < 4; n++)
        {
            uint selector = (selectors >> (4 * n)) & 0xF;
            byte value = (byte)(bytes >> (int)(8 * (selector & 7)));
            if ((selector & 8) != 0)
                value = (byte)((sbyte)value >> 7);
            result |= (uint)value << (8 * n);
        }
        r[i->D] = result;
    }

    private static void TruthTable(ulong* r, PtxInstruction* i, PtxThread t)
    {
        ulong a = r[i->A], b = r[i->B], c = r[i->C], result = 0;
        for (int row = 0; row < 8; row++)
        {
            if (((i->Immediate >> row) & 1) != 0)
                result |= ((row & 4) != 0 ? a : ~a) & ((row & 2) != 0 ? b : ~b) & ((row & 1) != 0 ? c : ~c);
        }
        r[i->D] = result;
    }

    private static ulong Joined(ulong* r, PtxInstruction* i) =>
        Slots.Read<uint>(r, i->A) | (ulong)Slots.Read<uint>(r, i->B) << 32;

    private static void FunnelLeftWrap(ulong* r, PtxInstruction* i, PtxThread t) =>
        r[i->D] = (Joined(r, i) << (int)(r[i->C] & 31)) >> 32;

    private static void FunnelLeftClamp(ulong* r, PtxInstruction* i, PtxThread t) =>
        r[i->D] = (Joined(r, i) << (int)Math.Min((uint)r[i->C], 32)) >> 32;

    private static void FunnelRightWrap(ulong* r, PtxInstruction* i, PtxThread t) =>
        r[i->D] = (uint)(Joined(r, i) >> (int)(r[i->C] & 31));

    private static void FunnelRightClamp(ulong* r, PtxInstruction* i, PtxThread t) =>
        r[i->D] = (uint)(Joined(r, i) >> (int)Math.Min((uint)r[i->C], 32));
}
