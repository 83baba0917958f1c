namespace TinyLlm.Tests.Support.Ptx;

/// <summary>Barriers of the block and of the warp, and fences.</summary>
internal static unsafe class BarrierInstructions
{
    // What a barrier does with the threads' predicates.
    private const int NoReduction = 0;
    private const int And = 1;
    private const int Or = 2;
    private const int PopCount = 3;

    public static bool Decode(PtxDecoder d)
    {
        switch (d.Name)
        {
            case "bar" when d.Take("warp"):
                d.Take("sync");
                PtxInstruction i = d.NewCollective(&WarpBarrier, false);
                i.Members = d.Slot(0, PtxType.B32);
                d.Emit(i);
                return true;
            case "bar" or "barrier":
                return EmitBarrier(d);
            case "membar" or "fence":
                return EmitFence(d);
            default:
                return false;
        }
    }

    private static bool EmitBarrier(PtxDecoder d)
    {
        d.Take("cta");
        bool aligned = d.Take("aligned") | d.Name == "bar", arrives = d.Take("arrive"), reduces = d.Take("red");
        if (!arrives && !reduces && !d.Take("sync"))
            return false;
        PtxInstruction i = d.NewCollective(arrives ? &Arrive : &Wait, aligned);
        int operand = 0;
        if (reduces)
        {
            i.Immediate = d.TakeAny(
                "and", "or", "popc") switch
            {
                "and" => And,
                "or" => Or,
                "popc" => PopCount,
                _ =>
                    throw d.Error("unknown reduction")
            };
            d.TakeAny("pred", "u32");
            i.D = d.Destination(operand++);
        }
        i.A = d.Slot(operand++, PtxType.U32);
        bool hasCount = d.OperandCount - operand == (reduces ? 2 : 1);
        i.B = hasCount ? d.Slot(operand++, PtxType.U32) : d.Constant(0);
        if (reduces)
        {
            i.Negated = d.Operand(operand).Negated;
            i.C = d.Slot(operand, PtxType.Pred);
        }
        d.Emit(i);
        return !arrives || hasCount;
    }

    private static void Arrive(PtxWarp warp, PtxInstruction* i, uint members) => Arrive(warp, i, members, false);

    private static void Wait(PtxWarp warp, PtxInstruction* i, uint members) => Arrive(warp, i, members, true);

    private static void Arrive(PtxWarp warp, PtxInstruction* i, uint members, bool waits)
    {
        uint ballot = 0;
        PtxThread? first = null;
        foreach (PtxThread thread in warp.Lanes)
        {
            if ((members & (1u << thread.Lane)) == 0)
                continue;
            first ??= thread;
            if (thread.Registers[i->A] != first.Registers[i->A] || thread.Registers[i->B] != first.Registers[i->B])
                throw thread.Fault(i, "lanes of one warp come to different barriers, or with different counts");
            if (thread.Registers[i->C] == (i->Negated ? 0ul : 1))
                ballot |= 1u << thread.Lane;
        }
        uint id = (uint)first!.Registers[i->A], count = (uint)first.Registers[i->B];
        if (id > 15 || count % PtxWarp.Size != 0)
        {
            throw first.Fault(i, $"there is no barrier {id} for {count} threads: the numbers are 0 to 15, the counts "
                + "multiples of a warp");
        }

        warp.Block.Barrier((int)id).Arrive(warp, i, members, (int)count, waits, ballot);
    }

    /// <summary>Gives a released thread what the barrier's reduction found.</summary>
    internal static void StoreReduction(PtxThread thread, PtxInstruction* i, int votes, int voters)
    {
        if (i->Immediate != NoReduction)
        {
            thread.Registers[i->D] =
                i->Immediate switch { And => votes == voters ? 1ul : 0, Or => votes > 0 ? 1ul : 0, _ => (ulong)votes };
        }
    }

    private static void WarpBarrier(PtxWarp warp, PtxInstruction* i, uint members)
    {
        if (members == warp.Alive)
            warp.Barriers++;
        warp.Resume(members);
    }

    /// <summary>
    /// Fences order accesses; here each access is seen by all at once, except what asynchronous work sees of ordinary
    /// stores.
    /// </summary>
    private static bool EmitFence(PtxDecoder d)
    {
        bool proxy = d.Take("proxy");
        string? kind = d.TakeAny("async", "alias", "tensormap::generic");
        d.TakeAny("sc", "acq_rel", "mbarrier_init");
        d.TakeAny("acquire", "release");
        d.TakeAny("global", "shared::cta", "shared::cluster");
        d.TakeAny("cta", "cluster", "gpu", "sys", "gl");
        d.Emit(d.New(proxy && kind == "async" ? &FenceProxy : &ControlInstructions.Nothing));
        return proxy == kind is not null;
    }

    private static void FenceProxy(ulong* r, PtxInstruction* i, PtxThread t) => t.ProxyFences++;
}
