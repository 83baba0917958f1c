namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// The asynchronous copies (cp.async) of one thread. A copy happens at the wait that makes it visible and not before,
/// so that a missing wait, or a tile overwritten too early, shows in the results.
/// </summary>
internal sealed unsafe class PtxCopyQueue(PtxThread thread)
{
    private readonly Queue<(int To, nint From, int Bytes, int SourceBytes, int Group)> copies = new();

    /// <summary>The group that is being put together.</summary>
    private int group;

    public void Clear()
    {
        copies.Clear();
        group = 0;
    }

    /// <param name="to">A place in shared memory.</param>
    /// <param name="from">Where the source lies, of which <paramref name="sourceBytes"/> are read; zeros
    /// follow.</param>
    public void Add(int to, byte* from, int bytes, int sourceBytes, PtxInstruction* i)
    {
        thread.Report(thread.Block.Watch?.BeginCopy(thread, to, bytes), i);
        copies.Enqueue((to, (nint)from, bytes, sourceBytes, group));
    }

    public void Commit() => group++;

    /// <summary>Waits until at most <paramref name="pending"/> of the newest committed groups are under way.</summary>
    public void Wait(int pending) => Perform(group - pending);

    /// <summary>Waits for all copies, committed or not.</summary>
    public void WaitAll() => Perform(int.MaxValue);

    private void Perform(int beforeGroup)
    {
        while (copies.TryPeek(out var copy) && copy.Group < beforeGroup)
        {
            var to = new Span<byte>(thread.Block.Shared + copy.To, copy.Bytes);
            new Span<byte>((void*)copy.From, copy.SourceBytes).CopyTo(to);
            to[copy.SourceBytes..].Clear();
            thread.Block.Watch?.EndCopy(thread, copy.To, copy.Bytes, ordinary: true);
            copies.Dequeue();
        }
    }
}
