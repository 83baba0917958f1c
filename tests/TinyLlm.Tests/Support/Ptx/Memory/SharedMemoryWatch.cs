namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// Watches the shared memory of a block for accesses that the ISA does not order: two threads at one place without a
/// barrier between them, a place that an asynchronous copy or wgmma still uses, a place written by ordinary stores and
/// read by wgmma without fence.proxy.async. It remembers the last writer and the readers of each pair of bytes;
/// accesses of single bytes are not watched. It follows barriers of the whole block and of warps. Where others are in
/// use (of a part of the block, mbarriers) it does not know what is ordered between warps, and watches what lanes of
/// one warp do.
/// </summary>
internal sealed class SharedMemoryWatch
{
    // A stamp: barriers of the block passed (from 1 on), barriers of the warp passed, warp, lane, and whether other
    // lanes or other warps were there too.
    private const int BlockShift = 34;
    private const int WarpShift = 13;
    private const ulong SeveralWarps = 1 << 12;
    private const ulong SeveralLanes = 1 << 11;
    private const ulong ThreadMask = (1 << 11) - 1;

    private readonly ulong[] writers;
    private readonly ulong[] readers;
    private readonly ushort[] asyncWrites;
    private readonly ushort[] asyncReads;

    /// <summary>
    /// Thread + 1, and how many proxy fences it had passed, of an ordinary store; 0 where there was none.
    /// </summary>
    private readonly ulong[] unfenced;

    /// <summary>Barriers of the whole block so far.</summary>
    private ulong blockTime = 1;

    public SharedMemoryWatch(int bytes)
    {
        int places = (bytes + 1) / 2;
        writers = new ulong[places];
        readers = new ulong[places];
        asyncWrites = new ushort[places];
        asyncReads = new ushort[places];
        unfenced = new ulong[places];
    }

    /// <summary>Whether warps are ordered by barriers of the whole block alone.</summary>
    public bool FollowsWarps { get; set; } = true;

    public void Clear()
    {
        Array.Clear(writers);
        Array.Clear(readers);
        Array.Clear(asyncWrites);
        Array.Clear(asyncReads);
        Array.Clear(unfenced);
        FollowsWarps = true;
        blockTime = 1;
    }

    public void PassBlockBarrier() => blockTime++;

    private ulong Stamp(PtxThread t) =>
        blockTime << BlockShift | (ulong)(t.Warp.Barriers & ((1 << (BlockShift - WarpShift)) - 1)) << WarpShift
            | (uint)(t.Warp.Index * PtxWarp.Size + t.Lane);

    /// <summary>A thread reads. Returns what is wrong with it, or null.</summary>
    public string? Read(PtxThread t, int address, int bytes)
    {
        ulong stamp = Stamp(t);
        for (int place = address / 2; place < (address + bytes) / 2; place++)
        {
            if (asyncWrites[place] != 0)
                return Describe(place, "is read while an asynchronous copy to it is under way");
            if (Conflicts(writers[place], stamp))
                return Describe(place, $"is read without a barrier after thread {writers[place] & 1023} wrote it");
            readers[place] = Join(readers[place], stamp);
        }
        return null;
    }

    /// <summary>A thread writes, or has something write for it.</summary>
    public string? Write(PtxThread t, int address, int bytes)
    {
        ulong stamp = Stamp(t), writer = Fence(t);
        for (int place = address / 2; place < (address + bytes) / 2; place++)
        {
            if (asyncWrites[place] != 0)
                return Describe(place, "is written while an asynchronous copy to it is under way");
            if (asyncReads[place] != 0)
                return Describe(place, "is written while wgmma may still read it");
            unfenced[place] = writer;
            if (Conflicts(writers[place], stamp))
                return Describe(place, $"is written without a barrier after thread {writers[place] & 1023} wrote it");
            if (Conflicts(readers[place], stamp))
            {
                return Describe(place, "is written without a barrier after "
                    + ((readers[place] & SeveralWarps) != 0 ? "threads" : $"thread {readers[place] & 1023}")
                    + " read it");
            }

            writers[place] = stamp;
            readers[place] = 0;
        }
        return null;
    }

    /// <summary>An asynchronous copy is issued: from now to its end nobody may touch the place.</summary>
    public string? BeginCopy(PtxThread t, int address, int bytes)
    {
        string? problem = Write(t, address, bytes);
        for (int place = address / 2; place < (address + bytes) / 2; place++)
            asyncWrites[place]++;
        return problem;
    }

    /// <param name="ordinary">Whether the copy counts as ordinary stores, which wgmma sees behind a proxy fence
    /// only.</param>
    public void EndCopy(PtxThread t, int address, int bytes, bool ordinary)
    {
        ulong stamp = Stamp(t);
        for (int place = address / 2; place < (address + bytes) / 2; place++)
        {
            asyncWrites[place]--;
            writers[place] = ordinary ? stamp : 0;
            unfenced[place] = ordinary ? Fence(t) : 0;
        }
    }

    /// <summary>wgmma is issued: from now to its end nobody may write the place.</summary>
    public string? BeginMatrixRead(PtxWarp warp, int address, int bytes)
    {
        string? problem = null;
        ulong stamp = Stamp(warp.Lanes[0]) | SeveralLanes;
        for (int place = address / 2; place < (address + bytes) / 2; place++)
        {
            asyncReads[place]++;
            ulong writer = unfenced[place];
            if (asyncWrites[place] != 0)
                problem = Describe(place, "is read by wgmma while an asynchronous copy to it is under way");
            else if (writer != 0 && Fence(warp.Block.Thread((int)(writer >> 32) - 1)) == writer)
            {
                problem = Describe(place, $"is read by wgmma, and thread {(writer >> 32) - 1} wrote it without a "
                    + "fence.proxy.async since");
            }
            else if (Conflicts(writers[place], stamp))
            {
                problem = Describe(
                    place, $"is read by wgmma without a barrier after thread {writers[place] & 1023} wrote it");
            }
        }
        return problem;
    }

    public void EndMatrixRead(PtxWarp warp, int address, int bytes)
    {
        ulong stamp = Stamp(warp.Lanes[0]) | SeveralLanes;
        for (int place = address / 2; place < (address + bytes) / 2; place++)
        {
            asyncReads[place]--;
            readers[place] = Join(readers[place], stamp);
        }
    }

    private static ulong Fence(PtxThread t) =>
        (ulong)(t.Warp.Index * PtxWarp.Size + t.Lane + 1) << 32 | (uint)t.ProxyFences;

    /// <summary>Whether two accesses are of different threads, with nothing between them that orders them.</summary>
    private bool Conflicts(ulong before, ulong now)
    {
        if (before >> BlockShift != now >> BlockShift)
            return false;
        if ((before & SeveralWarps) != 0 || ((before ^ now) & (ThreadMask & ~31ul)) != 0)
            return FollowsWarps;
        bool sameWarpTime = ((before ^ now) >> WarpShift) == 0;
        return sameWarpTime && (((before | now) & SeveralLanes) != 0 || ((before ^ now) & 31) != 0);
    }

    /// <summary>The stamp of a place that was read before and is read again.</summary>
    private static ulong Join(ulong before, ulong now)
    {
        if (before >> BlockShift != now >> BlockShift)
            return now;
        if ((before & SeveralWarps) != 0)
            return before;
        if (((before ^ now) & (ThreadMask & ~31ul)) != 0)
            return now | SeveralWarps;
        bool sameWarpTime = ((before ^ now) >> WarpShift) == 0;
        return sameWarpTime && ((before & SeveralLanes) != 0 || ((before ^ now) & 31) != 0) ? now | SeveralLanes : now;
    }

    private static string Describe(int place, string what) => $"byte {2 * place} of shared memory {what}";
}
