using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>A comparison. Ordered ones are false where an operand is NaN, unordered ones true.</summary>
internal interface IComparison
{
    static abstract bool Apply<T>(T a, T b) where T : unmanaged, INumber<T>;
}

internal readonly struct Equal : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a == b;
}

internal readonly struct NotEqual : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a < b || a > b;
}

internal readonly struct Less : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a < b;
}

internal readonly struct LessOrEqual : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a <= b;
}

internal readonly struct Greater : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a > b;
}

internal readonly struct GreaterOrEqual : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a >= b;
}

internal readonly struct EqualOrUnordered : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => !(a < b || a > b);
}

internal readonly struct NotEqualOrUnordered : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => a != b;
}

internal readonly struct LessOrUnordered : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => !(a >= b);
}

internal readonly struct LessEqualOrUnordered : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => !(a > b);
}

internal readonly struct GreaterOrUnordered : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => !(a <= b);
}

internal readonly struct GreaterEqualOrUnordered : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => !(a < b);
}

internal readonly struct Ordered : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => !T.IsNaN(a) && !T.IsNaN(b);
}

internal readonly struct Unordered : IComparison
{
    public static bool Apply<T>(T a, T b) where T : unmanaged, INumber<T> => T.IsNaN(a) || T.IsNaN(b);
}

/// <summary>How setp joins its comparison with a predicate.</summary>
internal interface ICombine
{
    static abstract bool Apply(bool comparison, bool predicate);
}

internal readonly struct CombineNone : ICombine
{
    public static bool Apply(bool comparison, bool predicate) => comparison;
}

internal readonly struct CombineAnd : ICombine
{
    public static bool Apply(bool comparison, bool predicate) => comparison && predicate;
}

internal readonly struct CombineOr : ICombine
{
    public static bool Apply(bool comparison, bool predicate) => comparison || predicate;
}

internal readonly struct CombineXor : ICombine
{
    public static bool Apply(bool comparison, bool predicate) => comparison ^ predicate;
}
