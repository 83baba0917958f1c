namespace TinyLlm.Tests.Support.Ptx;

/// <summary>An .entry or .func: first its statements, then, decoded, the instructions that threads run.</summary>
internal sealed unsafe class PtxFunction(string name, bool isEntry)
{
    private PtxInstruction[] instructions = [];

    public string Name => name;

    public bool IsEntry => isEntry;

    public List<PtxVariable> Parameters { get; } = [];

    public List<PtxVariable> Results { get; } = [];

    public List<PtxStatement> Statements { get; } = [];

    /// <summary>Bytes of the entry's parameters.</summary>
    public int EntryParameterBytes { get; set; }

    /// <summary>Bytes of parameters in a thread's frame.</summary>
    public int FrameParameterBytes { get; set; }

    public int LocalBytes { get; set; }

    /// <summary>
    /// Registers, of 8 bytes each, with the constants and special registers behind the declared ones.
    /// </summary>
    public int Slots { get; set; }

    /// <summary>What the slots from <see cref="FirstConstant"/> on start with.</summary>
    public ulong[] Constants { get; set; } = [];

    public int FirstConstant { get; set; }

    /// <summary>
    /// Slots that start with something of the thread's own: a special register, or the address of a local variable.
    /// </summary>
    public List<(int Slot, Func<PtxThread, ulong> Value)> Specials { get; } = [];

    public List<PtxCall> Calls { get; } = [];

    /// <summary>The operand lists that instructions point into.</summary>
    public List<int[]> Pinned { get; } = [];

    public PtxInstruction* Start { get; private set; }

    /// <summary>The statement that each instruction came from.</summary>
    public IReadOnlyList<PtxStatement> Sources { get; private set; } = [];

    public void Complete(List<PtxInstruction> decoded, List<PtxStatement> sources)
    {
        instructions = GC.AllocateArray<PtxInstruction>(decoded.Count, pinned: true);
        decoded.CopyTo(instructions);
        Sources = sources;
        fixed (PtxInstruction* start = instructions)
            Start = start;
        for (int i = 0; i < instructions.Length; i++)
        {
            instructions[i].Index = i;
            if (instructions[i].Control == PtxControl.Branch)
                instructions[i].Target = Start + instructions[i].TargetIndex;
        }
    }
}

/// <summary>A call: which parameters of the caller's frame go to the callee's, and which come back.</summary>
internal sealed record PtxCall(
    PtxFunction Callee, IReadOnlyList<PtxVariable> Arguments, IReadOnlyList<PtxVariable> Results);
