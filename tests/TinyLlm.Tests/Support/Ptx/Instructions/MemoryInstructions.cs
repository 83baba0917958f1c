namespace TinyLlm.Tests.Support.Ptx;

/// <summary>Where an address leads: one implementation a state space.</summary>
internal unsafe interface IStateSpace
{
    static abstract byte* At(ulong address, int bytes, PtxAccess access, PtxThread t, PtxInstruction* i);
}

internal readonly unsafe struct GlobalSpace : IStateSpace
{
    public static byte* At(ulong address, int bytes, PtxAccess access, PtxThread t, PtxInstruction* i) =>
        t.Global(address, bytes, i);
}

internal readonly unsafe struct SharedSpace : IStateSpace
{
    public static byte* At(ulong address, int bytes, PtxAccess access, PtxThread t, PtxInstruction* i) =>
        t.Shared(address, bytes, access, i);
}

internal readonly unsafe struct LocalSpace : IStateSpace
{
    public static byte* At(ulong address, int bytes, PtxAccess access, PtxThread t, PtxInstruction* i) =>
        t.Local(address, bytes, i);
}

internal readonly unsafe struct EntryParameterSpace : IStateSpace
{
    public static byte* At(ulong address, int bytes, PtxAccess access, PtxThread t, PtxInstruction* i) =>
        t.EntryParameter(address, bytes, i);
}

internal readonly unsafe struct FrameParameterSpace : IStateSpace
{
    public static byte* At(ulong address, int bytes, PtxAccess access, PtxThread t, PtxInstruction* i) =>
        t.FrameParameter(address, bytes, i);
}

internal readonly unsafe struct GenericSpace : IStateSpace
{
    public static byte* At(ulong address, int bytes, PtxAccess access, PtxThread t, PtxInstruction* i) =>
        PtxMemory.IsShared(address) ? t.Shared(address - PtxMemory.SharedWindow, bytes, access, i)
        : PtxMemory.IsLocal(address) ? t.Local(address - PtxMemory.LocalWindow, bytes, i)
        : t.Global(address, bytes, i);
}

/// <summary>ld and st.</summary>
internal static unsafe class MemoryInstructions
{
    public static bool Decode(PtxDecoder d)
    {
        if (d.Name == "prefetch" || d.Name == "prefetchu")
        {
            d.TakeHints("");
            d.Emit(d.New(&ControlInstructions.Nothing));
            return true;
        }
        if (d.Name is not ("ld" or "st" or "ldu"))
            return false;
        bool loads = d.Name != "st";
        TakeOrdering(d);
        d.TakeAny("nc");
        string? space = TakeSpace(d);
        int width = d.Take("v2") ? 2 : d.Take("v4") ? 4 : 1;
        PtxType type = d.TakeType();
        PtxInstruction i = d.New(null);
        PtxVariable? variable = d.SetAddress(ref i, loads ? 1 : 0);
        var values = d.Vector(loads ? 0 : 1, type, loads);
        if (values.Count != width || width * type.Bytes() > 16)
            return false;
        i.D = i.B = values[0];
        if (width > 1)
            d.SetOperands(ref i, values);
        i.Run = space switch
        {
            null => Operation<GenericSpace>(type, loads, width > 1),
            "global" or "const" => Operation<GlobalSpace>(type, loads, width > 1),
            "local" => Operation<LocalSpace>(type, loads, width > 1),
            "param" when variable is { Space: PtxSpace.EntryParameter } =>
                Operation<EntryParameterSpace>(type, loads, width > 1),
            "param" => Operation<FrameParameterSpace>(type, loads, width > 1),
            _ => Operation<SharedSpace>(type, loads, width > 1),
        };
        d.Emit(i);
        return i.Run != null;
    }

    /// <summary>
    /// Ordering and cache hints. Threads of a block never run at the same time, so that every access is seen at once by
    /// all of them.
    /// </summary>
    internal static void TakeOrdering(PtxDecoder d)
    {
        d.TakeAny("volatile", "relaxed", "acquire", "release", "acq_rel", "weak");
        d.TakeAny("cta", "cluster", "gpu", "sys", "gl");
        d.TakeAny("ca", "cg", "cs", "lu", "cv", "wb", "wt");
        d.TakeHints("L1::", "L2::", "level::");
    }

    internal static string? TakeSpace(PtxDecoder d) =>
        d.TakeAny("global", "shared", "shared::cta", "local", "param", "param::entry", "param::func", "const") switch
        {
            string space when space.Contains(':') => space[..space.IndexOf(':')],
            var space => space,
        };

    private static PtxOperation Operation<TSpace>(PtxType type, bool loads, bool vector)
        where TSpace : IStateSpace => (type, loads) switch
        {
            (PtxType.S8, true) => vector ? &LoadVector<TSpace, sbyte> : &Load<TSpace, sbyte>,
            (PtxType.S16, true) => vector ? &LoadVector<TSpace, short> : &Load<TSpace, short>,
            (PtxType.S32, true) => vector ? &LoadVector<TSpace, int> : &Load<TSpace, int>,
            (_, true) => type.Bytes() switch
            {
                1 => vector ? &LoadVector<TSpace, byte> : &Load<TSpace, byte>,
                2 => vector ? &LoadVector<TSpace, ushort> : &Load<TSpace, ushort>,
                4 => vector ? &LoadVector<TSpace, uint> : &Load<TSpace, uint>,
                _ => vector ? &LoadVector<TSpace, ulong> : &Load<TSpace, ulong>,
            },
            _ => type.Bytes() switch
            {
                1 => vector ? &StoreVector<TSpace, byte> : &Store<TSpace, byte>,
                2 => vector ? &StoreVector<TSpace, ushort> : &Store<TSpace, ushort>,
                4 => vector ? &StoreVector<TSpace, uint> : &Store<TSpace, uint>,
                _ => vector ? &StoreVector<TSpace, ulong> : &Store<TSpace, ulong>,
            },
        };

    /// <summary>The address an instruction's operand leads to.</summary>
    internal static ulong Address(ulong* r, PtxInstruction* i) =>
        ((r[i->A] & i->AddressMask) + (ulong)i->Immediate) & i->AddressMask;

    private static void Load<TSpace, T>(ulong* r, PtxInstruction* i, PtxThread t) where TSpace : IStateSpace
        where T : unmanaged =>
            Slots.Write(r, i->D, *(T*)TSpace.At(Address(r, i), sizeof(T), PtxAccess.Read, t, i));

    private static void LoadVector<TSpace, T>(ulong* r, PtxInstruction* i, PtxThread t) where TSpace : IStateSpace
        where T : unmanaged
    {
        T* from = (T*)TSpace.At(Address(r, i), sizeof(T) * i->OperandCount, PtxAccess.Read, t, i);
        for (int n = 0; n < i->OperandCount; n++)
            Slots.Write(r, i->Operands[n], from[n]);
    }

    private static void Store<TSpace, T>(ulong* r, PtxInstruction* i, PtxThread t) where TSpace : IStateSpace
        where T : unmanaged =>
            *(T*)TSpace.At(Address(r, i), sizeof(T), PtxAccess.Write, t, i) = Slots.Read<T>(r, i->B);

    private static void StoreVector<TSpace, T>(ulong* r, PtxInstruction* i, PtxThread t) where TSpace : IStateSpace
        where T : unmanaged
    {
        T* to = (T*)TSpace.At(Address(r, i), sizeof(T) * i->OperandCount, PtxAccess.Write, t, i);
        for (int n = 0; n < i->OperandCount; n++)
            to[n] = Slots.Read<T>(r, i->Operands[n]);
    }
}
