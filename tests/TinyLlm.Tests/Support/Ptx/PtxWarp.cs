using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>
/// A warp: each lane runs on its own until it comes to a collective instruction; when all that take part are there, the
/// instruction runs once for them. So whatever rests on lanes going in step, and is not promised by the ISA, shows.
/// </summary>
internal sealed unsafe class PtxWarp(PtxBlock block, int index, int threads)
{
    public const int Size = 32;

    private readonly PtxThread[] lanes = new PtxThread[threads];
    private WgmmaQueue? matrices;
    private int phases;

    public PtxBlock Block => block;

    public int Index => index;

    public PtxThread[] Lanes => lanes;

    /// <summary>Barriers of any kind that may have ordered its lanes.</summary>
    public int Barriers { get; set; }

    /// <summary>The warp's share of its warpgroup's matrix products.</summary>
    public WgmmaQueue Matrices => matrices ??= new WgmmaQueue(this);

    /// <summary>The lanes that have not exited.</summary>
    public uint Alive { get; private set; }

    public void Start()
    {
        foreach (PtxThread lane in lanes)
            lane.Start();
        Matrices.Clear();
        Barriers = 0;
        Alive = threads == Size ? ~0u : (1u << threads) - 1;
    }

    /// <summary>Runs what can run; returns whether anything happened but polls in vain.</summary>
    public bool Step()
    {
        bool progress = false;
        for (int lane = 0; lane < lanes.Length; lane++)
        {
            // The order of lanes is not promised either: every second warp runs backwards.
            PtxThread thread = lanes[(index & 1) == 0 ? lane : lanes.Length - 1 - lane];
            if (thread.State != PtxThreadState.Running)
                continue;
            progress |= thread.Run();
            if (thread.State == PtxThreadState.Exited)
            {
                Alive &= ~(1u << thread.Lane);
                block.Exited();
            }
        }
        return progress | RunCollectives();
    }

    /// <summary>
    /// A lane has waited for an mbarrier: what other lanes did before a phase that has ended since the last such wait
    /// may be ordered.
    /// </summary>
    public void PassPhases(int ended)
    {
        if (phases == ended)
            return;
        phases = ended;
        Barriers++;
    }

    private bool RunCollectives()
    {
        bool any = false;
        uint seen = 0;
        foreach (PtxThread thread in lanes)
        {
            if (thread.State != PtxThreadState.Waiting || (seen & (1u << thread.Lane)) != 0)
                continue;
            PtxInstruction* i = thread.Next;
            uint there = LanesAt(i, thread);
            uint members = i->Members >= 0 ? (uint)thread.Registers[i->Members] : i->Aligned ? Alive : there;
            seen |= there;
            if (i->NeedsWarp && Alive != ~0u)
                throw thread.Fault(i, $"the instruction needs all 32 lanes of the warp; those left are 0x{Alive:x8}");
            if (i->Members >= 0 && (members & (1u << thread.Lane)) == 0)
                throw thread.Fault(i, $"the lane is not in its own member mask 0x{members:x8}");
            members &= Alive;
            if ((members & ~there) != 0)
                continue;
            i->Collective(this, i, members);
            any = true;
        }
        return any;
    }

    /// <summary>The lanes that wait at this instruction, with the same member mask.</summary>
    private uint LanesAt(PtxInstruction* i, PtxThread first)
    {
        uint there = 0;
        foreach (PtxThread thread in lanes)
        {
            if (thread.State == PtxThreadState.Waiting && thread.Next == i
                && (i->Members < 0 || (uint)thread.Registers[i->Members] == (uint)first.Registers[i->Members]))
                there |= 1u << thread.Lane;
        }
        return there;
    }

    /// <summary>Where each waiting lane stands, for an error message.</summary>
    public IEnumerable<string> Places() =>
        lanes.Where(t => t.State is PtxThreadState.Waiting or PtxThreadState.AtBarrier or PtxThreadState.Running)
            .GroupBy(t => t.Function.Sources[PlaceOf(t)].Text)
            .Select(g => $"warp {index}, {g.Count()} lanes ({LaneMask(g):x8}) at '{g.Key}'");

    private static int PlaceOf(PtxThread thread) => thread.Next->Index;

    private static string LaneMask(IEnumerable<PtxThread> threads) =>
        "0x" + threads.Aggregate(0u, (m, t) => m | (1u << t.Lane)).ToString("x8");

    public void Resume(uint members)
    {
        for (uint left = members; left != 0; left &= left - 1)
            lanes[BitOperations.TrailingZeroCount(left)].Resume();
    }
}
