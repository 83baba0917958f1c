namespace TinyLlm.Tests.Support.Ptx;

/// <summary>How an operand is written.</summary>
internal enum PtxOperandKind
{
    /// <summary>A register, variable, label or function.</summary>
    Name,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A floating-point number.</summary>
    Float,

    /// <summary>
    /// [base + offset], where the base is a name or a number; or [base, {a, b, ...}], a place in a tensor.
    /// </summary>
    Address,

    /// <summary>{a, b, ...}</summary>
    Vector,

    /// <summary>(a, b, ...): arguments of a call.</summary>
    List,

    /// <summary>a|b: two destinations.</summary>
    Pair,
}

/// <summary>An operand as parsed.</summary>
internal sealed record PtxOperand(PtxOperandKind Kind)
{
    public string Name { get; init; } = "";

    /// <summary>Whether '!' stands before it.</summary>
    public bool Negated { get; init; }

    public long Integer { get; init; }

    public double Float { get; init; }

    /// <summary>The bits of a number written as bits (0f...), which even a NaN keeps; otherwise null.</summary>
    public ulong? FloatBits { get; init; }

    public IReadOnlyList<PtxOperand> Items { get; init; } = [];
}

/// <summary>One instruction as parsed.</summary>
/// <param name="Predicate">The guard's register, or null.</param>
/// <param name="Parts">The name, cut at its dots.</param>
/// <param name="Scope">Where its names are looked up.</param>
internal sealed record PtxStatement(
    string? Predicate, bool PredicateNegated, string[] Parts, IReadOnlyList<PtxOperand> Operands, PtxScope Scope,
    string Text);

/// <summary>What a name stands for.</summary>
internal abstract record PtxSymbol;

internal sealed record PtxRegister(int Slot, PtxType Type) : PtxSymbol;

/// <summary>A label: the number of the statement that follows it.</summary>
internal sealed record PtxLabel(int Statement) : PtxSymbol;

internal enum PtxSpace
{
    Generic,
    Global,
    Constant,
    Shared,
    Local,

    /// <summary>Parameters of the entry, the same for all threads.</summary>
    EntryParameter,

    /// <summary>
    /// Parameters of a function and those being put together for a call: a part of the thread's own frame.
    /// </summary>
    FrameParameter,
}

/// <summary>A variable: its place is an offset in its space, or in what its function has of it.</summary>
internal sealed record PtxVariable(string Name, PtxSpace Space, long Offset, int Bytes, bool IsDynamic) : PtxSymbol;

/// <summary>Names between braces; inner ones hide outer ones.</summary>
internal sealed class PtxScope(PtxScope? parent)
{
    private readonly Dictionary<string, PtxSymbol> symbols = [];

    public PtxScope? Parent => parent;

    public void Add(string name, PtxSymbol symbol)
    {
        if (!symbols.TryAdd(name, symbol))
            throw new PtxException($"PTX: {name} is declared twice in one scope.");
    }

    public PtxSymbol? Find(string name) => symbols.TryGetValue(name, out PtxSymbol? symbol) ? symbol
        : parent?.Find(name);
}
