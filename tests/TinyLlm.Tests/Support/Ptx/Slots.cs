using System.Numerics;
using System.Runtime.CompilerServices;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// Registers as typed values. Signed values are extended to the whole slot, so that a wider register that takes them
/// reads them right.
/// </summary>
internal static unsafe class Slots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Read<T>(ulong* r, int slot) where T : unmanaged => *(T*)(r + slot);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(ulong* r, int slot, T value) where T : unmanaged
    {
        if (typeof(T) == typeof(sbyte) || typeof(T) == typeof(short) || typeof(T) == typeof(int))
            r[slot] = (ulong)(sizeof(T) == 1 ? *(sbyte*)&value : sizeof(T) == 2 ? *(short*)&value : *(int*)&value);
        else
        {
            r[slot] = sizeof(T) == 1 ? *(byte*)&value : sizeof(T) == 2 ? *(ushort*)&value
                : sizeof(T) == 4 ? *(uint*)&value : *(ulong*)&value;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WriteBool(ulong* r, int slot, bool value) => r[slot] = value ? 1ul : 0;
}

/// <summary>What .ftz and .sat do to the operands and the result of single-precision instructions.</summary>
internal interface IFloatMode
{
    static abstract T Operand<T>(T value) where T : unmanaged, INumberBase<T>;

    static abstract T Result<T>(T value) where T : unmanaged, INumberBase<T>;
}

internal readonly struct Exact : IFloatMode
{
    public static T Operand<T>(T value) where T : unmanaged, INumberBase<T> => value;

    public static T Result<T>(T value) where T : unmanaged, INumberBase<T> => value;
}

/// <summary>Subnormal numbers become zeros of the same sign.</summary>
internal readonly struct Flushed : IFloatMode
{
    public static T Operand<T>(T value)
        where T : unmanaged, INumberBase<T> => T.IsSubnormal(value) ? value * T.Zero : value;

    public static T Result<T>(T value) where T : unmanaged, INumberBase<T> => Operand(value);
}

/// <summary>Results are clamped to [0, 1]; NaN becomes 0.</summary>
internal readonly struct Saturated : IFloatMode
{
    public static T Operand<T>(T value) where T : unmanaged, INumberBase<T> => value;

    public static T Result<T>(T value) where T : unmanaged, INumberBase<T> =>
        T.IsNaN(value) || T.IsNegative(value) ? T.Zero : T.MinMagnitudeNumber(value, T.One);
}

internal readonly struct FlushedSaturated : IFloatMode
{
    public static T Operand<T>(T value) where T : unmanaged, INumberBase<T> => Flushed.Operand(value);

    public static T Result<T>(T value) where T : unmanaged, INumberBase<T> => Saturated.Result(Flushed.Operand(value));
}
