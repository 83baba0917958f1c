using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>One of the sixteen barriers of a block.</summary>
internal sealed unsafe class PtxBarrier(int id)
{
    private readonly List<(PtxWarp Warp, uint Lanes)> waiting = [];
    private int arrived;
    private int expected;
    private int votes;
    private int voters;

    public void Clear()
    {
        waiting.Clear();
        arrived = expected = votes = voters = 0;
    }

    /// <summary>Lanes of a warp come to the barrier, and wait there unless they only arrive.</summary>
    /// <param name="threads">How many threads it is for; 0: all of the block.</param>
    /// <param name="ballot">The lanes whose predicate is true, of a reduction.</param>
    public void Arrive(PtxWarp warp, PtxInstruction* i, uint lanes, int threads, bool waits, uint ballot)
    {
        if (waiting.Count + arrived > 0 && threads != expected)
        {
            throw warp.Lanes[BitOperations.TrailingZeroCount(lanes)]
                .Fault(i, $"barrier {id} is used for {threads} threads, and by others for {expected} (0: all)");
        }

        expected = threads;
        // A count is one of whole warps: the ISA adds a warp's size for each that arrives.
        arrived += threads > 0 ? PtxWarp.Size : BitOperations.PopCount(lanes);
        votes += BitOperations.PopCount(ballot & lanes);
        voters += BitOperations.PopCount(lanes);
        if (expected > 0 && arrived > expected)
        {
            throw warp.Lanes[BitOperations.TrailingZeroCount(lanes)]
                .Fault(i, $"{arrived} threads came to barrier {id}, which is for {expected}");
        }

        if (!waits)
        {
            warp.Resume(lanes);
            return;
        }
        waiting.Add((warp, lanes));
        for (uint left = lanes; left != 0; left &= left - 1)
            warp.Lanes[BitOperations.TrailingZeroCount(left)].State = PtxThreadState.AtBarrier;
    }

    /// <summary>Lets the waiting threads go on if all have arrived.</summary>
    public bool TryRelease(PtxBlock block)
    {
        if (arrived == 0 || arrived < (expected > 0 ? expected : block.Alive))
            return false;
        if (block.Watch is { } watch)
        {
            // A barrier of a part of the block, or one at which some only arrive, orders some threads and not others.
            if (voters == block.Alive && waiting.Sum(w => BitOperations.PopCount(w.Lanes)) == block.Alive)
                watch.PassBlockBarrier();
            else
                watch.FollowsWarps = false;
        }
        foreach (var (warp, lanes) in waiting)
        {
            warp.Barriers++;
            for (uint left = lanes; left != 0; left &= left - 1)
            {
                PtxThread thread = warp.Lanes[BitOperations.TrailingZeroCount(left)];
                BarrierInstructions.StoreReduction(thread, thread.Next, votes, voters);
                thread.Resume();
            }
        }
        Clear();
        return true;
    }
}
