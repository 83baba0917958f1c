using System.Runtime.InteropServices;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// A block of threads with its shared memory; made once and used for one block of the grid after the other.
/// </summary>
internal sealed unsafe class PtxBlock : IDisposable
{
    private readonly PtxWarp[] warps;
    private readonly PtxBarrier[] barriers = [.. Enumerable.Range(0, 16).Select(id => new PtxBarrier(id))];
    private readonly void* memory;

    public PtxBlock(PtxLaunch launch)
    {
        Launch = launch;
        BulkCopies = new PtxBulkCopies(this);
        int threads = (int)launch.Block.Count, shared = PtxParser.AlignUp(launch.SharedEnd, 1024);
        int local = PtxParser.AlignUp(launch.LocalBytes, 16);
        nuint bytes = (nuint)shared + (nuint)threads * (nuint)(launch.Slots * 8 + local + launch.FrameParameterBytes);
        memory = NativeMemory.AlignedAlloc(bytes, 1024);
        Shared = (byte*)memory;
        var stacks = (ulong*)(Shared + shared);
        byte* locals = (byte*)(stacks + (long)threads * launch.Slots);
        byte* parameters = locals + (long)threads * local;

        Watch = launch.WatchesSharedMemory ? new SharedMemoryWatch(launch.SharedEnd) : null;
        warps = new PtxWarp[(threads + PtxWarp.Size - 1) / PtxWarp.Size];
        for (int t = 0; t < threads; t++)
        {
            int w = t / PtxWarp.Size, lane = t % PtxWarp.Size;
            warps[w] ??= new PtxWarp(this, w, Math.Min(PtxWarp.Size, threads - w * PtxWarp.Size));
            warps[w].Lanes[lane] =
                new PtxThread(warps[w], lane, launch, stacks + (long)t * launch.Slots, locals + (long)t * local,
                    parameters + (long)t * launch.FrameParameterBytes);
        }
    }

    public PtxLaunch Launch { get; }

    public PtxDim Index { get; private set; }

    public byte* Shared { get; }

    /// <summary>Null when shared memory is not watched.</summary>
    public SharedMemoryWatch? Watch { get; }

    /// <summary>The bulk copies under way.</summary>
    public PtxBulkCopies BulkCopies { get; }

    /// <summary>Phases of mbarriers that are over.</summary>
    public int Phases { get; set; }

    /// <summary>Counts what a thread that polls may be waiting for.</summary>
    public long Events { get; set; }

    /// <summary>Threads that have not exited.</summary>
    public int Alive { get; private set; }

    public long Instructions { get; set; }

    public PtxBarrier Barrier(int id) => barriers[id];

    public PtxThread Thread(int index) => warps[index / PtxWarp.Size].Lanes[index % PtxWarp.Size];

    public int WarpCount => warps.Length;

    public PtxWarp Warp(int index) => warps[index];

    public void Exited() => Alive--;

    public void Run(PtxDim index)
    {
        Index = index;
        new Span<byte>(Shared, Launch.SharedEnd).Fill(0xFF);
        Alive = (int)Launch.Block.Count;
        Watch?.Clear();
        BulkCopies.Clear();
        foreach (PtxBarrier barrier in barriers)
            barrier.Clear();
        foreach (PtxWarp warp in warps)
            warp.Start();
        while (Alive > 0)
        {
            long before = Events;
            bool progress = false;
            foreach (PtxWarp warp in warps)
                progress |= warp.Step();
            foreach (PtxBarrier barrier in barriers)
                progress |= barrier.TryRelease(this);
            // Bulk copies take their time: they happen when nothing else can.
            if (!progress && before == Events && !BulkCopies.PerformOne())
                throw Deadlock();
        }
        BulkCopies.CheckDone();
        foreach (PtxWarp warp in warps)
            warp.Matrices.CheckDone();
    }

    private PtxException Deadlock()
    {
        var places = warps.SelectMany(w => w.Places()).ToArray();
        string more = places.Length > 8 ? $"; and {places.Length - 8} more" : "";
        return new PtxException($"{Launch.Entry.Name}: block {Index}: the threads wait for one another for ever: "
            + $"{string.Join("; ", places.Take(8))}{more}.");
    }

    public void Dispose() => NativeMemory.AlignedFree(memory);
}
