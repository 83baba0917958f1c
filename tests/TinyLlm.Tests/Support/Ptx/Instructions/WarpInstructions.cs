using System.Numerics;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>What the lanes of a warp tell one another: shfl, vote, match, redux, activemask, elect.</summary>
internal static unsafe class WarpInstructions
{
    /// <summary>What a lane gets from one that does not take part: the ISA leaves it open, and NaN shows.</summary>
    private const uint Unpredictable = 0xFFFFFFFF;

    public static bool Decode(PtxDecoder d) => d.Name switch
    {
        "shfl" => EmitShuffle(d),
        "vote" => EmitVote(d),
        "match" => EmitMatch(d),
        "redux" => EmitReduction(d),
        "activemask" => EmitActiveMask(d),
        "elect" => EmitElect(d),
        _ => false,
    };

    private static bool EmitShuffle(PtxDecoder d)
    {
        string? mode = d.TakeAny("up", "down", "bfly", "idx");
        PtxInstruction i = d.NewCollective(
            mode switch
            {
                "up" => &Shuffle<Up>,
                "down" => &Shuffle<Down>,
                "bfly" => &Shuffle<Butterfly>,
                "idx" => &Shuffle<IndexMode>,
                _ => null
            }, false);
        if (!d.Take("sync") || d.TakeType() != PtxType.B32 || mode is null)
            return false;
        PtxOperand destination = d.Operand(0);
        if (destination.Kind == PtxOperandKind.Pair)
            (i.D, i.D2) = (d.Destination(destination.Items[0]), d.Destination(destination.Items[1]));
        else
            i.D = d.Destination(0);
        i.A = d.Slot(1, PtxType.B32);
        i.B = d.Slot(2, PtxType.B32);
        i.C = d.Slot(3, PtxType.B32);
        i.Members = d.Slot(4, PtxType.B32);
        d.Emit(i);
        return true;
    }

    private interface IShuffleMode
    {
        /// <summary>The source lane and whether it is in range, by the ISA's own formula.</summary>
        static abstract (int Source, bool InRange) Find(int lane, int b, int segmentFirst, int segmentMask, int limit);
    }

    private readonly struct Up : IShuffleMode
    {
        public static (int, bool) Find(int lane, int b, int first, int mask, int limit) =>
            (lane - b, lane - b >= limit);
    }

    private readonly struct Down : IShuffleMode
    {
        public static (int, bool) Find(int lane, int b, int first, int mask, int limit) =>
            (lane + b, lane + b <= limit);
    }

    private readonly struct Butterfly : IShuffleMode
    {
        public static (int, bool) Find(int lane, int b, int first, int mask, int limit) =>
            (lane ^ b, (lane ^ b) <= limit);
    }

    private readonly struct IndexMode : IShuffleMode
    {
        public static (int, bool) Find(int lane, int b, int first, int mask, int limit)
        {
            int source = first | (b & ~mask);
            return (source, source <= limit);
        }
    }

    private static void Shuffle<TMode>(PtxWarp warp, PtxInstruction* i, uint members) where TMode : IShuffleMode
    {
        var values = stackalloc uint[PtxWarp.Size];
        for (int lane = 0; lane < PtxWarp.Size; lane++)
            values[lane] = (members & (1u << lane)) != 0 ? (uint)warp.Lanes[lane].Registers[i->A] : Unpredictable;
        for (uint left = members; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            ulong* r = warp.Lanes[lane].Registers;
            int b = (int)r[i->B] & 31, clamp = (int)r[i->C] & 31, mask = (int)(r[i->C] >> 8) & 31;
            int first = lane & mask, limit = first | (clamp & ~mask);
            var (source, inRange) = TMode.Find(lane, b, first, mask, limit);
            Slots.WriteBool(r, i->D2, inRange);
            r[i->D] = values[inRange ? source : lane];
        }
        warp.Resume(members);
    }

    private static bool EmitVote(PtxDecoder d)
    {
        bool sync = d.Take("sync");
        string? mode = d.TakeAny("all", "any", "uni", "ballot");
        d.TakeType();
        PtxInstruction i = d.NewCollective(
            mode switch { "all" => &VoteAll, "any" => &VoteAny, "uni" => &VoteUniform, _ => &Ballot }, false);
        i.D = d.Destination(0);
        i.A = d.Slot(1, PtxType.Pred);
        i.Negated = d.Operand(1).Negated;
        if (sync)
            i.Members = d.Slot(2, PtxType.B32);
        d.Emit(i);
        return mode is not null;
    }

    private static uint Votes(PtxWarp warp, PtxInstruction* i, uint members)
    {
        uint votes = 0;
        for (uint left = members; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            if (warp.Lanes[lane].Registers[i->A] == (i->Negated ? 0ul : 1))
                votes |= 1u << lane;
        }
        return votes;
    }

    private static void Give(PtxWarp warp, PtxInstruction* i, uint members, ulong value)
    {
        for (uint left = members; left != 0; left &= left - 1)
            warp.Lanes[BitOperations.TrailingZeroCount(left)].Registers[i->D] = value;
        warp.Resume(members);
    }

    private static void VoteAll(PtxWarp warp, PtxInstruction* i, uint members) =>
        Give(warp, i, members, Votes(warp, i, members) == members ? 1ul : 0);

    private static void VoteAny(PtxWarp warp, PtxInstruction* i, uint members) =>
        Give(warp, i, members, Votes(warp, i, members) != 0 ? 1ul : 0);

    private static void VoteUniform(PtxWarp warp, PtxInstruction* i, uint members)
    {
        uint votes = Votes(warp, i, members);
        Give(warp, i, members, votes == 0 || votes == members ? 1ul : 0);
    }

    private static void Ballot(PtxWarp warp, PtxInstruction* i, uint members) =>
        Give(warp, i, members, Votes(warp, i, members));

    private static bool EmitMatch(PtxDecoder d)
    {
        bool all = d.Take("all");
        if ((!all && !d.Take("any")) || !d.Take("sync"))
            return false;
        PtxType type = d.TakeType();
        PtxInstruction i = d.NewCollective(all ? &MatchAll : &MatchAny, false);
        PtxOperand destination = d.Operand(0);
        if (destination.Kind == PtxOperandKind.Pair)
            (i.D, i.D2) = (d.Destination(destination.Items[0]), d.Destination(destination.Items[1]));
        else
            i.D = d.Destination(0);
        i.A = d.Slot(1, type);
        i.AddressMask = type.Bytes() == 8 ? ~0ul : uint.MaxValue;
        i.Members = d.Slot(2, PtxType.B32);
        d.Emit(i);
        return true;
    }

    private static uint LanesWith(PtxWarp warp, PtxInstruction* i, uint members, ulong value)
    {
        uint same = 0;
        for (uint left = members; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            if (((warp.Lanes[lane].Registers[i->A] ^ value) & i->AddressMask) == 0)
                same |= 1u << lane;
        }
        return same;
    }

    private static void MatchAny(PtxWarp warp, PtxInstruction* i, uint members)
    {
        var same = stackalloc uint[PtxWarp.Size];
        for (uint left = members; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            same[lane] = LanesWith(warp, i, members, warp.Lanes[lane].Registers[i->A]);
        }
        for (uint left = members; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            warp.Lanes[lane].Registers[i->D] = same[lane];
        }
        warp.Resume(members);
    }

    private static void MatchAll(PtxWarp warp, PtxInstruction* i, uint members)
    {
        bool all = LanesWith(warp, i, members, warp.Lanes[BitOperations.TrailingZeroCount(members)].Registers[i->A])
            == members;
        for (uint left = members; left != 0; left &= left - 1)
            Slots.WriteBool(warp.Lanes[BitOperations.TrailingZeroCount(left)].Registers, i->D2, all);
        Give(warp, i, members, all ? members : 0);
    }

    private static bool EmitReduction(PtxDecoder d)
    {
        string? operation = d.TakeAny("add", "min", "max", "and", "or", "xor");
        if (!d.Take("sync"))
            return false;
        PtxType type = d.TakeType();
        PtxInstruction i = d.NewCollective(&Reduce, false);
        i.Immediate = (operation, type) switch
        {
            ("add", PtxType.U32 or PtxType.S32) => 0,
            ("min", PtxType.U32) => 1,
            ("min", PtxType.S32) => 2,
            ("max", PtxType.U32) => 3,
            ("max", PtxType.S32) => 4,
            ("and", PtxType.B32) => 5,
            ("or", PtxType.B32) => 6,
            ("xor", PtxType.B32) => 7,
            _ => -1,
        };
        i.D = d.Destination(0);
        i.A = d.Slot(1, type);
        i.Members = d.Slot(2, PtxType.B32);
        d.Emit(i);
        return i.Immediate >= 0;
    }

    private static void Reduce(PtxWarp warp, PtxInstruction* i, uint members)
    {
        uint? result = null;
        for (uint left = members; left != 0; left &= left - 1)
        {
            var value = (uint)warp.Lanes[BitOperations.TrailingZeroCount(left)].Registers[i->A];
            result = result is not { } before ? value : i->Immediate switch
            {
                0 => before + value,
                1 => Math.Min(before, value),
                2 => (uint)Math.Min((int)before, (int)value),
                3 => Math.Max(before, value),
                4 => (uint)Math.Max((int)before, (int)value),
                5 => before & value,
                6 => before | value,
                _ => before ^ value,
            };
        }
        Give(warp, i, members, result!.Value);
    }

    private static bool EmitActiveMask(PtxDecoder d)
    {
        d.TakeType();
        PtxInstruction i = d.NewCollective(&ActiveMask, false);
        i.D = d.Destination(0);
        d.Emit(i);
        return true;
    }

    private static void ActiveMask(PtxWarp warp, PtxInstruction* i, uint members) => Give(warp, i, members, members);

    private static bool EmitElect(PtxDecoder d)
    {
        if (!d.Take("sync"))
            return false;
        PtxOperand destination = d.Operand(0);
        PtxInstruction i = d.NewCollective(&Elect, false);
        (i.D, i.D2) = (d.Destination(destination.Items[0]), d.Destination(destination.Items[1]));
        i.Members = d.Slot(1, PtxType.B32);
        d.Emit(i);
        return true;
    }

    private static void Elect(PtxWarp warp, PtxInstruction* i, uint members)
    {
        int leader = BitOperations.TrailingZeroCount(members);
        for (uint left = members; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            Slots.WriteBool(warp.Lanes[lane].Registers, i->D2, lane == leader);
        }
        Give(warp, i, members, (ulong)leader);
    }
}
