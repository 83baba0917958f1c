namespace TinyLlm.Tests.Support.Ptx;

/// <summary>Branches, calls, and the ends of threads.</summary>
internal static unsafe class ControlInstructions
{
    public static bool Decode(PtxDecoder d)
    {
        switch (d.Name)
        {
            case "bra":
                return EmitBranch(d);
            case "call":
                return EmitCall(d);
            case "ret":
                d.Take("uni");
                d.Emit(d.NewOf(null, PtxControl.Return));
                return true;
            case "exit":
                d.Emit(d.NewOf(null, PtxControl.Exit));
                return true;
            case "trap":
                d.Emit(d.New(&Trap));
                return true;
            case "griddepcontrol":
                d.Emit(d.New(&Nothing));
                return d.TakeAny("wait", "launch_dependents") is not null;
            case "nanosleep":
                d.Take("u32");
                d.Emit(d.NewOf(&Sleep, PtxControl.Poll));
                return true;
            default:
                return false;
        }
    }

    private static bool EmitBranch(PtxDecoder d)
    {
        d.Take("uni");
        string label = d.Operand(0).Name;
        if (d.Find(label) is not PtxLabel target)
            throw d.Error($"there is no label {label}");
        PtxInstruction i = d.NewOf(null, PtxControl.Branch);
        i.TargetIndex = target.Statement;
        d.Emit(i);
        return true;
    }

    private static bool EmitCall(PtxDecoder d)
    {
        d.Take("uni");
        int name = d.Operand(0).Kind == PtxOperandKind.List ? 1 : 0;
        PtxFunction callee = d.Module.Find(d.Operand(name).Name)
            ?? throw d.Error($"there is no function {d.Operand(name).Name}");
        var results = name == 1 ? Variables(d, d.Operand(0)) : [];
        var arguments = d.OperandCount > name + 1 ? Variables(d, d.Operand(name + 1)) : [];
        if (!Fits(arguments, callee.Parameters) || !Fits(results, callee.Results))
            throw d.Error($"the arguments or results are not those of {callee.Name}");
        PtxInstruction i = d.NewOf(null, PtxControl.Call);
        i.Immediate = d.Function.Calls.Count;
        d.Function.Calls.Add(new PtxCall(callee, arguments, results));
        d.Emit(i);
        return true;
    }

    private static List<PtxVariable> Variables(PtxDecoder d, PtxOperand list) =>
        [.. list.Items.Select(
            item => d.Find(item.Name) as PtxVariable ?? throw d.Error($"{item.Name} is not a .param variable"))];

    private static bool Fits(List<PtxVariable> given, List<PtxVariable> wanted) =>
        given.Count == wanted.Count
        && given.Zip(wanted)
            .All(pair => pair.First.Bytes == pair.Second.Bytes && pair.First.Space == PtxSpace.FrameParameter);

    internal static void Nothing(ulong* r, PtxInstruction* i, PtxThread t)
    {
    }

    private static void Sleep(ulong* r, PtxInstruction* i, PtxThread t) => t.Yielded = true;

    private static void Trap(ulong* r, PtxInstruction* i, PtxThread t) => throw t.Fault(i, "the kernel trapped");
}
