namespace TinyLlm.Tests.Support.Ptx;

/// <summary>cp.async: copies from global to shared memory that happen at their wait.</summary>
internal static unsafe class CopyInstructions
{
    public static bool Decode(PtxDecoder d)
    {
        if (d.Name != "cp" || d.Has("bulk") || d.Has("mbarrier") || !d.Take("async"))
            return false;
        if (d.Take("commit_group"))
        {
            d.Emit(d.New(&Commit));
            return true;
        }
        if (d.Take("wait_all"))
        {
            d.Emit(d.New(&WaitAll));
            return true;
        }
        if (d.Take("wait_group"))
        {
            PtxInstruction wait = d.New(&Wait);
            wait.Immediate = d.Operand(0).Integer;
            d.Emit(wait);
            return true;
        }
        return EmitCopy(d);
    }

    /// <summary>
    /// cp.async.cg.shared.global [to], [from], bytes {, source bytes or a predicate that says to ignore the source}:
    /// what the source does not give becomes zero.
    /// </summary>
    private static bool EmitCopy(PtxDecoder d)
    {
        bool bypassesL1 = d.Take("cg");
        if ((!bypassesL1 && !d.Take("ca")) || d.TakeAny("shared", "shared::cta") is null || !d.Take("global"))
            return false;
        d.TakeHints("L2::");
        long bytes = d.Operand(2).Integer;
        if (bytes != 16 && (bypassesL1 || bytes is not (4 or 8)))
            throw d.Error("a copy has 4, 8 or 16 bytes, with .cg 16");
        PtxInstruction i = d.New(&Copy), source = d.New(null);
        d.SetAddress(ref i, 0);
        d.SetAddress(ref source, 1);
        i.B = source.A;
        i.SourceOffset = source.AddressMask == ~0ul ? source.Immediate
            : throw d.Error("the source's address needs 64 bits");
        i.Bytes = (int)bytes;
        i.C = d.OperandCount > 3 ? d.Slot(3, PtxType.U32) : d.Constant((ulong)bytes);
        if (d.OperandCount > 3 && d.Operand(3) is { Kind: PtxOperandKind.Name } operand
            && d.RegisterType(operand) == PtxType.Pred)
            i.Run = &CopyUnlessIgnored;
        d.Emit(i);
        return true;
    }

    private static void Copy(ulong* r, PtxInstruction* i, PtxThread t) => Copy(r, i, t, (uint)r[i->C]);

    private static void CopyUnlessIgnored(ulong* r, PtxInstruction* i, PtxThread t) =>
        Copy(r, i, t, r[i->C] == 1 ? 0 : (uint)i->Bytes);

    private static void Copy(ulong* r, PtxInstruction* i, PtxThread t, uint sourceBytes)
    {
        int bytes = i->Bytes;
        if (sourceBytes > bytes)
            throw t.Fault(i, $"the source has {sourceBytes} bytes, more than the {bytes} of the copy");
        ulong to = MemoryInstructions.Address(r, i);
        t.Shared(to, bytes, PtxAccess.Unwatched, i);
        ulong from = r[i->B] + (ulong)i->SourceOffset;
        if (from % (ulong)bytes != 0)
            throw t.Fault(i, $"the source address 0x{from:x} is not a multiple of {bytes}");
        t.Copies.Add(
            (int)to, sourceBytes == 0 ? null : t.GlobalBytes(from, (int)sourceBytes, i), bytes, (int)sourceBytes, i);
    }

    private static void Commit(ulong* r, PtxInstruction* i, PtxThread t) => t.Copies.Commit();

    private static void Wait(ulong* r, PtxInstruction* i, PtxThread t) => t.Copies.Wait((int)i->Immediate);

    private static void WaitAll(ulong* r, PtxInstruction* i, PtxThread t) => t.Copies.WaitAll();
}
