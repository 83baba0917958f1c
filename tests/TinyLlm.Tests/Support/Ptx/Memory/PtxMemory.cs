using System.Runtime.InteropServices;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// Memory as kernels see it. Each allocation of global memory lies alone in a stretch of 16 GiB of addresses, so that
/// what runs over its end hits nothing; the windows of shared and local memory and of the entry's parameters are three
/// more such stretches.
/// </summary>
internal sealed unsafe class PtxMemory : IDisposable
{
    private const int SlotBits = 34;
    private const int SharedSlot = 1;
    private const int LocalSlot = 2;
    private const int ParameterSlot = 3;
    private const int FirstSlot = 4;

    private readonly List<(nint Pointer, long Bytes)> allocations = [(0, 0), (0, 0), (0, 0), (0, 0)];
    private (nint Pointer, long Bytes)[] slots = [];

    public const ulong SharedWindow = (ulong)SharedSlot << SlotBits;
    public const ulong LocalWindow = (ulong)LocalSlot << SlotBits;
    public const ulong ParameterWindow = (ulong)ParameterSlot << SlotBits;

    /// <summary>The address of a module's own variables: the first allocation.</summary>
    public const ulong ModuleVariables = (ulong)FirstSlot << SlotBits;

    public static bool IsShared(ulong generic) => generic >> SlotBits == SharedSlot;

    public static bool IsLocal(ulong generic) => generic >> SlotBits == LocalSlot;

    public static bool IsParameter(ulong generic) => generic >> SlotBits == ParameterSlot;

    /// <summary>Takes memory of bytes 0xFF: NaN in every floating-point type.</summary>
    public ulong Allocate(long bytes)
    {
        var pointer = (nint)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), 256);
        new Span<byte>((void*)pointer, checked((int)bytes)).Fill(0xFF);
        allocations.Add((pointer, bytes));
        slots = allocations.ToArray();
        return (ulong)(slots.Length - 1) << SlotBits;
    }

    public Span<byte> Bytes(ulong address, long bytes)
    {
        byte* pointer = Find(address, bytes);
        return pointer == null
            ? throw new ArgumentException($"0x{address:x}: no allocation holds the {bytes} bytes from there.")
                : new Span<byte>(pointer, checked((int)bytes));
    }

    /// <summary>The place of bytes in global memory, or null.</summary>
    public byte* Find(ulong address, long bytes)
    {
        ulong slot = address >> SlotBits, offset = address & ((1ul << SlotBits) - 1);
        if (slot >= (ulong)slots.Length || offset + (ulong)bytes > (ulong)slots[slot].Bytes)
            return null;
        return (byte*)slots[slot].Pointer + offset;
    }

    public string Describe(ulong address)
    {
        ulong slot = address >> SlotBits, offset = address & ((1ul << SlotBits) - 1);
        return slot < FirstSlot || slot >= (ulong)slots.Length ? "no allocation is there"
            : $"{offset} bytes into an allocation of {slots[slot].Bytes}";
    }

    public void Dispose()
    {
        foreach (var (pointer, _) in allocations)
            NativeMemory.AlignedFree((void*)pointer);
        allocations.Clear();
        slots = [];
    }
}
