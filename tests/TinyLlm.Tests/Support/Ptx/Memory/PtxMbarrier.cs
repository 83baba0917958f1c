namespace TinyLlm.Tests.Support.Ptx;

/// <summary>The state of an mbarrier object in its eight bytes of shared memory.</summary>
/// <remarks>
/// From the lowest bit: arrivals expected a phase (20), arrivals pending (20), bytes pending, from -2^20 on (21), a
/// mark, an empty bit, the phase's parity.
/// </remarks>
internal readonly record struct PtxMbarrier(int Expected, int Pending, int Bytes, int Phase)
{
    private const int CountMask = (1 << 20) - 1;
    private const int BytesZero = 1 << 20;

    public ulong Encoded =>
        (uint)Expected | (ulong)Pending << 20 | (ulong)(Bytes + BytesZero) << 40 | 1ul << 61 | (ulong)Phase << 63;

    /// <summary>
    /// Null for bytes that are no initialised mbarrier, such as those that shared memory starts with.
    /// </summary>
    public static PtxMbarrier? Decode(ulong bits)
    {
        if ((bits >> 61 & 3) != 1)
            return null;
        return new PtxMbarrier(
            (int)(bits & CountMask), (int)(bits >> 20 & CountMask), (int)(bits >> 40 & ((1 << 21) - 1)) - BytesZero,
            (int)(bits >> 63));
    }

    public static PtxMbarrier WithCount(int count) => new(count, count, 0, 0);

    /// <summary>After arrivals and changes of the bytes: the next phase, if this one has all it waits for.</summary>
    public PtxMbarrier After(int arrivals, int bytes)
    {
        PtxMbarrier next = this with { Pending = Pending - arrivals, Bytes = Bytes + bytes };
        return next is { Pending: 0, Bytes: 0 } ? next with { Pending = Expected, Phase = 1 - Phase } : next;
    }
}
