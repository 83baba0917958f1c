using System.Runtime.InteropServices;

namespace TinyLlm.Tests.Support.Ptx;

internal enum PtxThreadState : byte
{
    Running,

    /// <summary>Before a collective instruction, until the lanes that take part are there.</summary>
    Waiting,

    /// <summary>Arrived at a barrier of the block.</summary>
    AtBarrier,

    Exited,
}

/// <summary>What an access to memory does.</summary>
internal enum PtxAccess
{
    Read,
    Write,

    /// <summary>Atomics, and what asynchronous work does.</summary>
    Unwatched,
}

/// <summary>
/// One thread: its registers, its own memory, and the loop that runs it until it must wait for others.
/// </summary>
internal sealed unsafe class PtxThread
{
    /// <summary>
    /// Instructions before other threads get their turn: a thread that polls memory must let the writer run.
    /// </summary>
    private const int Slice = 1 << 16;

    private readonly ulong* stack;
    private readonly byte* local;
    private readonly byte* parameters;
    private readonly Stack<Frame> callers = new();
    private long instructions;

    public PtxThread(PtxWarp warp, int lane, PtxLaunch launch, ulong* stack, byte* local, byte* parameters)
    {
        Warp = warp;
        Lane = lane;
        this.stack = stack;
        this.local = local;
        this.parameters = parameters;
        Index = launch.Block.At(warp.Index * PtxWarp.Size + lane);
        Function = launch.Entry;
        Copies = new PtxCopyQueue(this);
    }

    public PtxWarp Warp { get; }

    public PtxBlock Block => Warp.Block;

    public int Lane { get; }

    public PtxDim Index { get; }

    public PtxThreadState State { get; set; }

    public PtxFunction Function { get; private set; }

    public PtxInstruction* Next { get; private set; }

    public ulong* Registers { get; private set; }

    /// <summary>Where the running function's local variables start.</summary>
    public int LocalBase { get; private set; }

    public byte* FrameParameters { get; private set; }

    public PtxCopyQueue Copies { get; }

    /// <summary>How many fences between ordinary and asynchronous accesses it has passed.</summary>
    public int ProxyFences { get; set; }

    /// <summary>Set by an instruction after which others run first.</summary>
    public bool Yielded { get; set; }

    /// <summary>Set by a poll that found nothing yet.</summary>
    public bool Idle { get; set; }

    public void Start()
    {
        callers.Clear();
        Copies.Clear();
        instructions = 0;
        ProxyFences = 0;
        State = PtxThreadState.Running;
        new Span<byte>(local, Block.Launch.LocalBytes).Fill(0xFF);
        Enter(Block.Launch.Entry, stack, 0, parameters);
    }

    private void Enter(PtxFunction function, ulong* registers, int localBase, byte* frameParameters)
    {
        Function = function;
        Registers = registers;
        LocalBase = localBase;
        FrameParameters = frameParameters;
        Next = function.Start;
        new Span<ulong>(registers, function.FirstConstant).Fill(~0ul);
        function.Constants.CopyTo(new Span<ulong>(registers + function.FirstConstant, function.Constants.Length));
        foreach (var (slot, value) in function.Specials)
            registers[slot] = value(this);
    }

    /// <summary>
    /// Runs until a collective, the end, or the end of the slice; returns whether more happened than a poll in vain.
    /// </summary>
    public bool Run()
    {
        ulong* r = Registers;
        PtxInstruction* i = Next;
        int left = Slice;
        Yielded = Idle = false;
        while (left-- > 0)
        {
            if (r[i->Predicate] == i->SkipIf)
            {
                i++;
                continue;
            }
            switch (i->Control)
            {
                case PtxControl.Next:
                    i->Run(r, i, this);
                    i++;
                    continue;
                case PtxControl.Branch:
                    i = i->Target;
                    continue;
                case PtxControl.Collective:
                    State = PtxThreadState.Waiting;
                    break;
                case PtxControl.Poll:
                    i->Run(r, i, this);
                    i++;
                    if (!Yielded)
                        continue;
                    break;
                case PtxControl.Call:
                    Call(i);
                    i = Next;
                    r = Registers;
                    continue;
                case PtxControl.Return when callers.Count > 0:
                    Return();
                    i = Next;
                    r = Registers;
                    continue;
                default:
                    State = PtxThreadState.Exited;
                    break;
            }
            break;
        }
        Next = i;
        instructions += Slice - left;
        Block.Instructions += Slice - left;
        if (instructions > Block.Launch.InstructionLimit)
            throw Fault(i, $"the thread has not ended after {instructions} instructions");
        return !Idle;
    }

    private void Call(PtxInstruction* i)
    {
        PtxCall call = Function.Calls[(int)i->Immediate];
        if (callers.Count > 64 || callers.Any(c => c.Function == call.Callee) || call.Callee == Function)
            throw Fault(i, "recursive calls are not supported");
        byte* calleeParameters = FrameParameters + PtxParser.AlignUp(Function.FrameParameterBytes, 16);
        for (int n = 0; n < call.Arguments.Count; n++)
        {
            Copy(FrameParameters + call.Arguments[n].Offset, calleeParameters + call.Callee.Parameters[n].Offset,
                call.Arguments[n].Bytes);
        }

        callers.Push(new Frame(Function, i, Registers, LocalBase, FrameParameters));
        Enter(call.Callee, Registers + Function.Slots, LocalBase + PtxParser.AlignUp(Function.LocalBytes, 16),
            calleeParameters);
    }

    private void Return()
    {
        byte* calleeParameters = FrameParameters;
        var callee = Function;
        Frame caller = callers.Pop();
        Function = caller.Function;
        Registers = caller.Registers;
        LocalBase = caller.LocalBase;
        FrameParameters = caller.Parameters;
        var results = Function.Calls[(int)caller.Call->Immediate].Results;
        for (int n = 0; n < results.Count; n++)
            Copy(calleeParameters + callee.Results[n].Offset, FrameParameters + results[n].Offset, results[n].Bytes);
        Next = caller.Call + 1;
    }

    private static void Copy(byte* from, byte* to, int bytes) =>
        new Span<byte>(from, bytes).CopyTo(new Span<byte>(to, bytes));

    /// <summary>Goes on behind the collective it waited at.</summary>
    public void Resume()
    {
        Next++;
        State = PtxThreadState.Running;
    }

    public byte* Global(ulong address, int bytes, PtxInstruction* i) =>
        Aligned(GlobalBytes(address, bytes, i), address, bytes, i);

    /// <summary>Bytes of global memory whose address need not be a multiple of their number.</summary>
    public byte* GlobalBytes(ulong address, int bytes, PtxInstruction* i)
    {
        byte* place = Block.Launch.Memory.Find(address, bytes);
        if (place == null)
        {
            throw Fault(i, $"the {bytes} bytes at 0x{address:x} are not in global memory: "
                + $"{Block.Launch.Memory.Describe(address)}");
        }

        return place;
    }

    public byte* Shared(ulong address, int bytes, PtxAccess access, PtxInstruction* i)
    {
        if (address < PtxModule.FirstShared || address + (ulong)bytes > (ulong)Block.Launch.SharedEnd)
        {
            throw Fault(i, $"the {bytes} bytes at {(long)address} are not in shared memory, which lies at "
                + $"{PtxModule.FirstShared} to {Block.Launch.SharedEnd}");
        }

        byte* place = Aligned(Block.Shared + address, address, bytes, i);
        if (access != PtxAccess.Unwatched && Block.Watch is { } watch)
        {
            Report(access == PtxAccess.Read ? watch.Read(this, (int)address, bytes)
                : watch.Write(this, (int)address, bytes), i);
        }

        return place;
    }

    /// <summary>Fails with what the watch found, if it found something.</summary>
    public void Report(string? problem, PtxInstruction* i)
    {
        if (problem is not null)
            throw Fault(i, problem);
    }

    public byte* Local(ulong address, int bytes, PtxInstruction* i)
    {
        if (address + (ulong)bytes > (ulong)Block.Launch.LocalBytes)
        {
            throw Fault(i, $"the {bytes} bytes at {(long)address} are not in local memory, which has "
                + $"{Block.Launch.LocalBytes}");
        }

        return Aligned(local + address, address, bytes, i);
    }

    public byte* EntryParameter(ulong address, int bytes, PtxInstruction* i)
    {
        if (address + (ulong)bytes > (ulong)Block.Launch.Parameters.Length)
        {
            throw Fault(i, $"the {bytes} bytes at {(long)address} are not in the entry's parameters, which have "
                + $"{Block.Launch.Parameters.Length}");
        }

        return Aligned(
            (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(Block.Launch.Parameters, 0) + address, address, bytes, i);
    }

    public byte* FrameParameter(ulong address, int bytes, PtxInstruction* i)
    {
        if (address + (ulong)bytes > (ulong)Function.FrameParameterBytes)
        {
            throw Fault(i, $"the {bytes} bytes at {(long)address} are not in the frame's parameters, which have "
                + $"{Function.FrameParameterBytes}");
        }

        return Aligned(FrameParameters + address, address, bytes, i);
    }

    private byte* Aligned(byte* place, ulong address, int bytes, PtxInstruction* i)
    {
        if ((address & (ulong)(bytes - 1)) != 0)
            throw Fault(i, $"the address 0x{address:x} is not a multiple of {bytes}");
        return place;
    }

    public PtxException Fault(PtxInstruction* i, string what) =>
        new($"{Function.Name}: {Function.Sources[i->Index].Text}: thread {Index} of block {Block.Index}: {what}.");

    /// <summary>What a call leaves behind.</summary>
    private readonly struct Frame(
        PtxFunction function, PtxInstruction* call, ulong* registers, int localBase, byte* parameters)
    {
        public readonly PtxFunction Function = function;
        public readonly PtxInstruction* Call = call;
        public readonly ulong* Registers = registers;
        public readonly int LocalBase = localBase;
        public readonly byte* Parameters = parameters;
    }
}
