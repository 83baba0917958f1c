using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>atom and red on global, shared and generic addresses.</summary>
internal static unsafe class AtomicInstructions
{
    /// <summary>Blocks run on several threads of the host; one lock orders their atomics.</summary>
    private static readonly Lock Order = new();

    public static bool Decode(PtxDecoder d)
    {
        if (d.Name is not ("atom" or "red"))
            return false;
        MemoryInstructions.TakeOrdering(d);
        string? space = MemoryInstructions.TakeSpace(d),
            operation = d.TakeAny("add", "exch", "cas", "min", "max", "and", "or", "xor", "inc", "dec");
        d.Take("noftz");
        PtxType type = d.TakeType();
        int address = d.Name == "atom" ? 1 : 0;
        PtxInstruction i = d.New(space switch
        {
            null => Operation<GenericSpace>(operation, type),
            "global" => Operation<GlobalSpace>(operation, type),
            "shared" => Operation<SharedSpace>(operation, type),
            _ => null,
        });
        if (address == 1)
            i.D = d.Destination(0);
        d.SetAddress(ref i, address);
        i.B = d.Slot(address + 1, type);
        if (operation == "cas")
            i.C = d.Slot(address + 2, type);
        d.Emit(i);
        return i.Run != null;
    }

    private static PtxOperation Operation<TSpace>(string? operation, PtxType type)
        where TSpace : IStateSpace => operation switch
        {
            "add" => Number<TSpace, Add>(type),
            "min" => Number<TSpace, Min>(type),
            "max" => Number<TSpace, Max>(type),
            "exch" => type.Bytes() == 8 ? &Bits<TSpace, ulong, Exchange> : &Bits<TSpace, uint, Exchange>,
            "and" => type.Bytes() == 8 ? &Bits<TSpace, ulong, BitAnd> : &Bits<TSpace, uint, BitAnd>,
            "or" => type.Bytes() == 8 ? &Bits<TSpace, ulong, BitOr> : &Bits<TSpace, uint, BitOr>,
            "xor" => type.Bytes() == 8 ? &Bits<TSpace, ulong, BitXor> : &Bits<TSpace, uint, BitXor>,
            "inc" when type == PtxType.U32 => &Bits<TSpace, uint, Increment>,
            "dec" when type == PtxType.U32 => &Bits<TSpace, uint, Decrement>,
            "cas" => type.Bytes() switch
            {
                2 => &CompareAndSwap<TSpace, ushort>,
                4 => &CompareAndSwap<TSpace, uint>,
                _ => &CompareAndSwap<TSpace, ulong>
            },
            _ => null,
        };

    private static PtxOperation Number<TSpace, TOp>(PtxType type) where TSpace : IStateSpace
        where TOp : IBinary => type switch
        {
            PtxType.U32 => &Apply<TSpace, uint, TOp>,
            PtxType.S32 => &Apply<TSpace, int, TOp>,
            PtxType.U64 => &Apply<TSpace, ulong, TOp>,
            PtxType.S64 => &Apply<TSpace, long, TOp>,
            PtxType.F32 when typeof(TOp) == typeof(Add) => &Apply<TSpace, float, TOp>,
            PtxType.F64 when typeof(TOp) == typeof(Add) => &Apply<TSpace, double, TOp>,
            PtxType.F16 => &ApplyHalf<TSpace, Binary16, TOp>,
            PtxType.BF16 => &ApplyHalf<TSpace, BFloat, TOp>,
            PtxType.F16x2 => &ApplyPacked<TSpace, Binary16, TOp>,
            PtxType.BF16x2 => &ApplyPacked<TSpace, BFloat, TOp>,
            _ => null,
        };

    private static void Apply<TSpace, T, TOp>(ulong* r, PtxInstruction* i, PtxThread t) where TSpace : IStateSpace
        where T : unmanaged, INumber<T> where TOp : IBinary
    {
        lock (Order)
        {
            T* place = (T*)TSpace.At(MemoryInstructions.Address(r, i), sizeof(T), PtxAccess.Unwatched, t, i);
            T old = *place;
            *place = TOp.Apply(old, Slots.Read<T>(r, i->B));
            Slots.Write(r, i->D, old);
        }
    }

    private static void ApplyHalf<TSpace, TFormat, TOp>(ulong* r, PtxInstruction* i, PtxThread t)
        where TSpace : IStateSpace where TFormat : IHalfFormat where TOp : IBinary
    {
        lock (Order)
        {
            var place = (ushort*)TSpace.At(MemoryInstructions.Address(r, i), 2, PtxAccess.Unwatched, t, i);
            ushort old = *place;
            *place = TFormat.Round(TOp.Apply(TFormat.ToFloat(old), TFormat.ToFloat(Slots.Read<ushort>(r, i->B))));
            Slots.Write(r, i->D, old);
        }
    }

    private static void ApplyPacked<TSpace, TFormat, TOp>(ulong* r, PtxInstruction* i, PtxThread t)
        where TSpace : IStateSpace where TFormat : IHalfFormat where TOp : IBinary
    {
        lock (Order)
        {
            var place = (ushort*)TSpace.At(MemoryInstructions.Address(r, i), 4, PtxAccess.Unwatched, t, i);
            uint old = *(uint*)place, value = Slots.Read<uint>(r, i->B);
            place[0] = TFormat.Round(TOp.Apply(TFormat.ToFloat((ushort)old), TFormat.ToFloat((ushort)value)));
            place[1] = TFormat.Round(
                TOp.Apply(TFormat.ToFloat((ushort)(old >> 16)), TFormat.ToFloat((ushort)(value >> 16))));
            Slots.Write(r, i->D, old);
        }
    }

    private static void Bits<TSpace, T, TOp>(ulong* r, PtxInstruction* i, PtxThread t) where TSpace : IStateSpace
        where T : unmanaged, IBinaryInteger<T> where TOp : IBits
    {
        lock (Order)
        {
            T* place = (T*)TSpace.At(MemoryInstructions.Address(r, i), sizeof(T), PtxAccess.Unwatched, t, i);
            T old = *place;
            *place = TOp.Apply(old, Slots.Read<T>(r, i->B));
            Slots.Write(r, i->D, old);
        }
    }

    private static void CompareAndSwap<TSpace, T>(ulong* r, PtxInstruction* i, PtxThread t) where TSpace : IStateSpace
        where T : unmanaged, IBinaryInteger<T>
    {
        lock (Order)
        {
            T* place = (T*)TSpace.At(MemoryInstructions.Address(r, i), sizeof(T), PtxAccess.Unwatched, t, i);
            T old = *place;
            if (old == Slots.Read<T>(r, i->B))
                *place = Slots.Read<T>(r, i->C);
            Slots.Write(r, i->D, old);
        }
    }

    private interface IBits
    {
        static abstract T Apply<T>(T old, T value) where T : unmanaged, IBinaryInteger<T>;
    }

    private readonly struct Exchange : IBits
    {
        public static T Apply<T>(T old, T value) where T : unmanaged, IBinaryInteger<T> => value;
    }

    private readonly struct BitAnd : IBits
    {
        public static T Apply<T>(T old, T value) where T : unmanaged, IBinaryInteger<T> => old & value;
    }

    private readonly struct BitOr : IBits
    {
        public static T Apply<T>(T old, T value) where T : unmanaged, IBinaryInteger<T> => old | value;
    }

    private readonly struct BitXor : IBits
    {
        public static T Apply<T>(T old, T value) where T : unmanaged, IBinaryInteger<T> => old ^ value;
    }

    /// <summary>Counts up to the operand and starts again at 0.</summary>
    private readonly struct Increment : IBits
    {
        public static T Apply<T>(T old, T value)
            where T : unmanaged, IBinaryInteger<T> => old >= value ? T.Zero : old + T.One;
    }

    /// <summary>Counts down to 0 and starts again at the operand.</summary>
    private readonly struct Decrement : IBits
    {
        public static T Apply<T>(T old, T value)
            where T : unmanaged, IBinaryInteger<T> => T.IsZero(old) || old > value ? value : old - T.One;
    }
}
