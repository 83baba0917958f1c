namespace TinyLlm.Tests.Support.Ptx;

/// <summary>mbarrier, and cp.async.bulk from global to shared memory, which completes on one.</summary>
internal static unsafe class MbarrierInstructions
{
    public static bool Decode(PtxDecoder d)
    {
        if (d.Name == "cp" && d.Take("bulk"))
            return d.Take("tensor") ? TensorCopyInstructions.Emit(d) : EmitBulkCopy(d);
        if (d.Name == "cp" && d.Take("mbarrier"))
            return EmitCopyArrive(d);
        if (d.Name != "mbarrier")
            return false;
        d.TakeAny("release", "acquire", "relaxed");
        d.TakeAny("cta", "cluster");
        bool generic = d.TakeAny("shared", "shared::cta", "shared::cluster") is null;
        if (!d.Take("b64"))
            return false;
        string? operation = d.TakeAny("init", "inval", "arrive", "arrive_drop", "expect_tx", "test_wait", "try_wait");
        bool expects = operation == "arrive" && d.Take("expect_tx");
        PtxInstruction i = d.New(null);
        i.SourceOffset = generic ? unchecked((long)(0 - PtxMemory.SharedWindow)) : 0;
        switch (operation)
        {
            case "init":
                return Emit(d, i, &Initialise, 0, 1);
            case "inval":
                return Emit(d, i, &Invalidate, 0, -1);
            case "expect_tx":
                return Emit(d, i, &Expect, 0, 1);
            case "arrive" or "arrive_drop":
                int address = d.Operand(0).Kind == PtxOperandKind.Address ? 0 : 1;
                if (address == 1)
                    i.D = d.Destination(0);
                return Emit(
                    d, i, expects ? &ArriveAndExpect : operation == "arrive" ? &Arrive
                    : &ArriveAndDrop, address, d.OperandCount > address + 1 ? address + 1 : -1);
            case "test_wait" or "try_wait":
                i.D = d.Destination(0);
                i.Control = PtxControl.Poll;
                return Emit(d, i, d.Take("parity") ? &WaitForParity : &WaitForState, 1, 2);
            default:
                return false;
        }
    }

    private static bool Emit(PtxDecoder d, PtxInstruction i, PtxOperation run, int address, int value)
    {
        i.Run = run;
        d.SetAddress(ref i, address);
        i.B = value < 0 ? d.Constant(1) : d.Slot(value, PtxType.B64);
        d.Emit(i);
        return true;
    }

    private static ulong* Place(ulong* r, PtxInstruction* i, PtxThread t) =>
        (ulong*)t.Shared(MemoryInstructions.Address(r, i) + (ulong)i->SourceOffset, 8, PtxAccess.Unwatched, i);

    /// <summary>Fails if there is no mbarrier.</summary>
    internal static void Check(int barrier, PtxInstruction* i, PtxThread t) =>
        Load((ulong*)t.Shared((ulong)barrier, 8, PtxAccess.Unwatched, i), i, t);

    private static PtxMbarrier Load(ulong* place, PtxInstruction* i, PtxThread t) =>
        PtxMbarrier.Decode(*place) ?? throw t.Fault(i, "no mbarrier was initialised there");

    private static void Store(ulong* place, PtxMbarrier value, PtxThread t)
    {
        *place = value.Encoded;
        t.Block.Events++;
        if (t.Block.Watch is { } watch)
            watch.FollowsWarps = false;
    }

    private static void Initialise(ulong* r, PtxInstruction* i, PtxThread t)
    {
        var count = (uint)r[i->B];
        if (count is 0 or >= 1 << 20)
            throw t.Fault(i, $"an mbarrier cannot count {count} arrivals");
        Store(Place(r, i, t), PtxMbarrier.WithCount((int)count), t);
    }

    private static void Invalidate(ulong* r, PtxInstruction* i, PtxThread t)
    {
        Load(Place(r, i, t), i, t);
        *Place(r, i, t) = ~0ul;
    }

    private static void Expect(ulong* r, PtxInstruction* i, PtxThread t) => Change(r, i, t, 0, (int)r[i->B], 0);

    private static void ArriveAndExpect(ulong* r, PtxInstruction* i, PtxThread t) =>
        Change(r, i, t, 1, (int)r[i->B], 0);

    private static void Arrive(ulong* r, PtxInstruction* i, PtxThread t) => Change(r, i, t, (int)r[i->B], 0, 0);

    private static void ArriveAndDrop(ulong* r, PtxInstruction* i, PtxThread t) =>
        Change(r, i, t, (int)r[i->B], 0, (int)r[i->B]);

    private static void Change(ulong* r, PtxInstruction* i, PtxThread t, int arrivals, int bytes, int dropped)
    {
        ulong* place = Place(r, i, t);
        PtxMbarrier before = Load(place, i, t);
        r[i->D] = before.Encoded;
        Store(place, Changed(before with { Expected = before.Expected - dropped }, arrivals, bytes, i, t), t);
    }

    private static PtxMbarrier Changed(PtxMbarrier before, int arrivals, int bytes, PtxInstruction* i, PtxThread t)
    {
        if (arrivals > before.Pending || arrivals < 0)
            throw t.Fault(i, $"{arrivals} arrivals at an mbarrier that waits for {before.Pending} in this phase");
        // The expectation comes first: an arrival that is the last one must not end the phase before its bytes are
        // counted.
        PtxMbarrier after = before.After(arrivals, bytes);
        if (after.Phase != before.Phase)
            t.Block.Phases++;
        return after;
    }

    private static void WaitForParity(ulong* r, PtxInstruction* i, PtxThread t) => Wait(r, i, t, (int)r[i->B] & 1);

    private static void WaitForState(ulong* r, PtxInstruction* i, PtxThread t) =>
        Wait(r, i, t, PtxMbarrier.Decode(r[i->B])?.Phase
        ?? throw t.Fault(i, "the state is not one that an arrival returned"));

    /// <summary>True once the phase of this parity is over, which it is while the other one runs.</summary>
    private static void Wait(ulong* r, PtxInstruction* i, PtxThread t, int parity)
    {
        bool done = Load(Place(r, i, t), i, t).Phase != parity;
        Slots.WriteBool(r, i->D, done);
        if (done)
            t.Warp.PassPhases(t.Block.Phases);
        t.Yielded = t.Idle = !done;
    }

    /// <summary>
    /// cp.async.mbarrier.arrive: arrives when the thread's copies are done. With .noinc the count was in the mbarrier's
    /// from the start; without, it is added to it.
    /// </summary>
    private static bool EmitCopyArrive(PtxDecoder d)
    {
        if (!d.Take("async") || !d.Take("arrive") || !d.Take("b64"))
            return false;
        bool generic = d.TakeAny("shared", "shared::cta") is null;
        PtxInstruction i = d.New(null);
        i.SourceOffset = generic ? unchecked((long)(0 - PtxMemory.SharedWindow)) : 0;
        return Emit(d, i, d.Take("noinc") ? &CopyArrive : &CopyArriveIncreasing, 0, -1);
    }

    // The arrival itself is what shows that the copies are done, and it must come some time: it comes now, with the
    // copies before it.
    private static void CopyArrive(ulong* r, PtxInstruction* i, PtxThread t)
    {
        t.Copies.WaitAll();
        Change(r, i, t, 1, 0, 0);
    }

    // One arrival more is expected, and then it is there.
    private static void CopyArriveIncreasing(ulong* r, PtxInstruction* i, PtxThread t)
    {
        t.Copies.WaitAll();
        Load(Place(r, i, t), i, t);
        t.Block.Events++;
    }

    /// <summary>
    /// cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [to], [from], bytes, [mbarrier]
    /// </summary>
    private static bool EmitBulkCopy(PtxDecoder d)
    {
        d.TakeHints("L2::");
        if (!d.Take("async") || d.TakeAny("shared::cluster", "shared::cta") is null || !d.Take("global")
            || !d.Take("mbarrier::complete_tx::bytes"))
            return false;
        PtxInstruction i = d.New(&BulkCopy), source = d.New(null), barrier = d.New(null);
        d.SetAddress(ref i, 0);
        d.SetAddress(ref source, 1);
        d.SetAddress(ref barrier, 3);
        i.SourceOffset = source.Immediate;
        d.SetOperands(ref i, [source.A, d.Slot(2, PtxType.U32), barrier.A]);
        i.Bytes = checked((int)barrier.Immediate);
        d.Emit(i);
        return true;
    }

    private static void BulkCopy(ulong* r, PtxInstruction* i, PtxThread t)
    {
        ulong to = MemoryInstructions.Address(r, i), from = r[i->Operands[0]] + (ulong)i->SourceOffset;
        uint bytes = (uint)r[i->Operands[1]], barrier = (uint)r[i->Operands[2]] + (uint)i->Bytes;
        if ((to | from | bytes) % 16 != 0 || bytes == 0 || bytes > int.MaxValue / 2)
        {
            throw t.Fault(
                i, $"a bulk copy of {bytes} bytes from 0x{from:x} to {to}: all three must be multiples of 16");
        }

        t.Shared(to, 16, PtxAccess.Unwatched, i);
        t.Shared(to + bytes - 16, 16, PtxAccess.Unwatched, i);
        Check((int)barrier, i, t);
        byte* source = t.GlobalBytes(from, (int)bytes, i);
        t.Block.BulkCopies.Add(
            t, i, (int)to, (int)bytes, place => new Span<byte>(source, place.Length).CopyTo(place), (int)barrier);
    }

    /// <summary>Bytes of a bulk copy have come.</summary>
    internal static void Complete(PtxThread t, PtxInstruction* i, int barrier, int bytes)
    {
        var place = (ulong*)t.Shared((ulong)barrier, 8, PtxAccess.Unwatched, i);
        Store(place, Changed(Load(place, i, t), 0, -bytes, i, t), t);
    }
}
