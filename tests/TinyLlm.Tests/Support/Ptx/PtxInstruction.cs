global using unsafe PtxCollective = delegate*<TinyLlm.Tests.Support.Ptx.PtxWarp,
    TinyLlm.Tests.Support.Ptx.PtxInstruction*, uint, void>;
global using unsafe PtxOperation = delegate*<ulong*, TinyLlm.Tests.Support.Ptx.PtxInstruction*,
    TinyLlm.Tests.Support.Ptx.PtxThread, void>;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>What the thread's loop does with an instruction.</summary>
internal enum PtxControl : byte
{
    /// <summary>Runs it and goes on.</summary>
    Next,

    Branch,
    Call,

    /// <summary>Back to the caller; from an entry, the end of the thread.</summary>
    Return,

    Exit,

    /// <summary>Stops before it until the other lanes that take part are there too.</summary>
    Collective,

    /// <summary>Runs it and, where it says so, lets other threads run first.</summary>
    Poll,
}

/// <summary>
/// An instruction with all names resolved: operands are slots of the thread's registers, constants among them.
/// </summary>
internal unsafe struct PtxInstruction
{
    public PtxOperation Run;
    public PtxCollective Collective;
    public PtxInstruction* Target;

    /// <summary>
    /// The guard: the instruction is skipped when this slot holds <see cref="SkipIf"/>. Unguarded ones look at a
    /// constant 1.
    /// </summary>
    public int Predicate;
    public uint SkipIf;
    public PtxControl Control;

    /// <summary>Whether a predicate operand has '!' before it.</summary>
    public bool Negated;

    /// <summary>The type of a matrix product's factors.</summary>
    public PtxType Type;

    /// <summary>Whether every lane of the warp must come to a collective.</summary>
    public bool Aligned;

    /// <summary>Whether a collective needs all 32 lanes, and not just those that have not exited.</summary>
    public bool NeedsWarp;

    /// <summary>The slot of a collective's member mask; -1: all lanes.</summary>
    public int Members;

    public int D;
    public int A;
    public int B;
    public int C;

    /// <summary>The second destination, or -1.</summary>
    public int D2;

    /// <summary>The operands of wide instructions, in the order of their text; pinned with the function.</summary>
    public int* Operands;
    public int OperandCount;

    /// <summary>Whatever else is known when decoding: an address offset, a shift, a truth table.</summary>
    public long Immediate;

    /// <summary>What is added to the second address, of instructions with two.</summary>
    public long SourceOffset;

    /// <summary>Bytes that an asynchronous copy writes; columns of a matrix product.</summary>
    public int Bytes;

    /// <summary>The bits of the address register that count: 32 or 64 of them.</summary>
    public ulong AddressMask;

    public int TargetIndex;
    public int Index;
}
