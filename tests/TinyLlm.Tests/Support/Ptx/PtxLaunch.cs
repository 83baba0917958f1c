namespace TinyLlm.Tests.Support.Ptx;

/// <summary>Three sizes, or a place among them.</summary>
internal readonly record struct PtxDim(int X, int Y = 1, int Z = 1)
{
    public long Count => (long)X * Y * Z;

    public static implicit operator PtxDim(int x) => new(x);

    public static implicit operator PtxDim((int X, int Y) xy) => new(xy.X, xy.Y);

    public static implicit operator PtxDim((int X, int Y, int Z) xyz) => new(xyz.X, xyz.Y, xyz.Z);

    public override string ToString() => $"({X}, {Y}, {Z})";

    /// <summary>The place that comes at <paramref name="index"/> when x runs fastest.</summary>
    public PtxDim At(long index) => new((int)(index % X), (int)(index / X % Y), (int)(index / X / Y));
}

/// <summary>What all blocks of a launch have in common.</summary>
internal sealed record PtxLaunch(
    PtxModule Module, PtxFunction Entry, PtxDim Grid, PtxDim Block, int DynamicSharedBytes, byte[] Parameters,
    PtxMemory Memory)
{
    /// <summary>How many instructions a thread may run before it counts as one that never ends.</summary>
    public required long InstructionLimit { get; init; }

    /// <summary>Whether accesses to shared memory that nothing orders are errors.</summary>
    public required bool WatchesSharedMemory { get; init; }

    /// <summary>Bytes of addresses of a block's shared memory, from 0 on.</summary>
    public int SharedEnd { get; } = DynamicSharedBytes > 0 ? Module.DynamicShared + DynamicSharedBytes
        : Module.SharedEnd;

    /// <summary>The deepest a thread's frames can be without recursion.</summary>
    public int Slots { get; } = Module.Functions.Sum(f => f.Slots);

    public int LocalBytes { get; } = Module.Functions.Sum(f => PtxParser.AlignUp(f.LocalBytes, 16));

    public int FrameParameterBytes { get; } = Module.Functions.Sum(f => PtxParser.AlignUp(f.FrameParameterBytes, 16));
}
