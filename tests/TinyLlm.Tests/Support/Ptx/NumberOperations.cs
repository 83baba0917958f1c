using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

internal interface IUnary
{
    static abstract T Apply<T>(T a) where T : unmanaged, INumber<T>;
}

internal interface IBinary
{
    static abstract T Apply<T>(T a, T b) where T : unmanaged, INumber<T>;
}

internal readonly struct Abs : IUnary
{
    // The most negative integer stays as it is, where C# would throw.
    public static T Apply<T>(T a)
        where T : unmanaged, INumber<T> => typeof(T) == typeof(float) || typeof(T) == typeof(double) ? T.Abs(a)
            : a < T.Zero ? T.Zero - a : a;
}

internal readonly struct Negate : IUnary
{
    public static T Apply<T>(T a) where T : unmanaged, INumber<T> => -a;
}

internal readonly struct Add : IBinary
{
    public static T Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a + b;
}

internal readonly struct Subtract : IBinary
{
    public static T Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a - b;
}

internal readonly struct Multiply : IBinary
{
    public static T Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a * b;
}

internal readonly struct Divide : IBinary
{
    // The most negative integer divided by -1 wraps, where C# would throw.
    public static T Apply<T>(T a, T b) where T : unmanaged, INumber<T> =>
        typeof(T) != typeof(float) && typeof(T) != typeof(double) && T.IsNegative(b) && b == T.Zero - T.One ? T.Zero - a
        : a / b;
}

internal readonly struct Remainder : IBinary
{
    public static T Apply<T>(T a, T b)
        where T : unmanaged, INumber<T> => T.IsNegative(b) && b == T.Zero - T.One ? T.Zero : a % b;
}

/// <summary>Of a number and a NaN, the number.</summary>
internal readonly struct Min : IBinary
{
    public static T Apply<T>(T a, T b) where T : unmanaged, INumber<T> => T.MinNumber(a, b);
}

internal readonly struct Max : IBinary
{
    public static T Apply<T>(T a, T b) where T : unmanaged, INumber<T> => T.MaxNumber(a, b);
}

internal readonly struct MinOrNaN : IBinary
{
    public static T Apply<T>(T a, T b) where T : unmanaged, INumber<T> => T.Min(a, b);
}

internal readonly struct MaxOrNaN : IBinary
{
    public static T Apply<T>(T a, T b) where T : unmanaged, INumber<T> => T.Max(a, b);
}
