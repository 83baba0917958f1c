namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// The matrix products of one warp of a warpgroup: rows 16 w to 16 w + 15 of D, where w is the warp's number in its
/// group. A product happens at the wait for it, with what the registers and shared memory hold then.
/// </summary>
internal sealed unsafe class WgmmaQueue(PtxWarp warp)
{
    private readonly Queue<Product> pending = new();
    private readonly List<Product> issued = [];
    private int group;
    private bool fenced;

    private PtxBlock Block => warp.Block;

    private PtxWarp FirstOfGroup => Block.Warp(warp.Index / 4 * 4);

    public void Clear()
    {
        pending.Clear();
        issued.Clear();
        group = 0;
        fenced = false;
    }

    public void Fence() => fenced = true;

    public void Commit() => group++;

    public void Issue(PtxInstruction* i, ulong a, ulong b, bool accumulates)
    {
        PtxThread thread = warp.Lanes[0];
        var product = new Product((nint)i, a, b, accumulates, group);
        if (!fenced)
            throw thread.Fault(i, "there is no wgmma.fence before it");
        if (warp.Index / 4 * 4 + 3 >= Block.WarpCount)
            throw thread.Fault(i, "its warpgroup does not have four warps");
        CheckSameAsOthers(thread, i, product);
        foreach (MatrixDescriptor descriptor in i->SourceOffset != 0 ? [new MatrixDescriptor(b)]
            : new[] { new MatrixDescriptor(a), new MatrixDescriptor(b) })
            thread.Report(descriptor.Problem is { } problem ? $"a descriptor is wrong: {problem}" : null, i);
        string? found = null;
        WgmmaInstructions.ForEachChunk(i, product, warp.Index % 4, (address, bytes) =>
        {
            thread.Shared((ulong)address, bytes, PtxAccess.Unwatched, i);
            found ??= Block.Watch?.BeginMatrixRead(warp, address, bytes);
        });
        thread.Report(found, i);
        pending.Enqueue(product);
    }

    /// <summary>The warps of a group must run the same products, with the same descriptors.</summary>
    private void CheckSameAsOthers(PtxThread thread, PtxInstruction* i, Product product)
    {
        issued.Add(product);
        for (int w = 0; w < 4; w++)
        {
            var other = Block.Warp(FirstOfGroup.Index + w).Matrices.issued;
            if (other.Count >= issued.Count && other[issued.Count - 1] != product)
                throw thread.Fault(i, "the warps of the group run different products, or with different descriptors");
        }
    }

    /// <summary>Waits until at most <paramref name="left"/> of the newest committed groups are pending.</summary>
    public void Wait(int left)
    {
        while (pending.TryPeek(out Product product) && product.Group < group - left)
        {
            pending.Dequeue();
            WgmmaInstructions.Perform(warp, product);
            var i = (PtxInstruction*)product.Instruction;
            WgmmaInstructions.ForEachChunk(
                i, product, warp.Index % 4, (address, bytes) => Block.Watch?.EndMatrixRead(warp, address, bytes));
        }
    }

    public void CheckDone()
    {
        if (pending.TryPeek(out Product product))
        {
            throw warp.Lanes[0]
                .Fault((PtxInstruction*)product.Instruction, "the warp ends without a wgmma.wait_group for it");
        }

        if (issued.Count != FirstOfGroup.Matrices.issued.Count)
        {
            throw warp.Lanes[0]
                .Fault((PtxInstruction*)issued.Concat(FirstOfGroup.Matrices.issued).Last().Instruction,
                    "the warps of the group ran different numbers of products");
        }
    }

    internal readonly record struct Product(nint Instruction, ulong A, ulong B, bool Accumulates, int Group);
}
