namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// The bulk copies of a block that are under way. They happen when every thread waits: nothing but their mbarrier says
/// that they are done.
/// </summary>
internal sealed unsafe class PtxBulkCopies(PtxBlock block)
{
    /// <summary>Brings the bytes to their place in shared memory.</summary>
    public delegate void Fill(Span<byte> to);

    private readonly Queue<(PtxThread Thread, nint Instruction, int To, Fill Fill, int Bytes, int Barrier)> copies =
        new();

    public void Clear() => copies.Clear();

    public void Add(PtxThread thread, PtxInstruction* i, int to, int bytes, Fill fill, int barrier)
    {
        thread.Report(block.Watch?.BeginCopy(thread, to, bytes), i);
        copies.Enqueue((thread, (nint)i, to, fill, bytes, barrier));
    }

    /// <summary>Performs the oldest copy; false if there is none.</summary>
    public bool PerformOne()
    {
        if (!copies.TryDequeue(out var copy))
            return false;
        copy.Fill(new Span<byte>(block.Shared + copy.To, copy.Bytes));
        block.Watch?.EndCopy(copy.Thread, copy.To, copy.Bytes, ordinary: false);
        MbarrierInstructions.Complete(copy.Thread, (PtxInstruction*)copy.Instruction, copy.Barrier, copy.Bytes);
        return true;
    }

    public void CheckDone()
    {
        if (copies.TryPeek(out var copy))
        {
            throw copy.Thread.Fault(
                (PtxInstruction*)copy.Instruction, "the block ends while the copy to its shared memory is under way");
        }
    }
}
