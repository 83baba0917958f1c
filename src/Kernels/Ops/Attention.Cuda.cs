namespace TinyLlm.Kernels.Gpu;

/// <summary>A (B, T, H, D) tensor of bf16 on a device, strided over all but the last dimension; strides in elements.</summary>
internal readonly record struct DeviceHeads(long Address, int BatchStride, int TokenStride, int HeadStride)
{
    /// <summary>Address of the first token of a head.</summary>
    public long At(int batch, int head) => Address + 2 * ((long)batch * BatchStride + (long)head * HeadStride);
}

/// <summary>What the attention kernels take: addresses on the device and numbers, nothing managed.</summary>
internal struct AttentionArguments
{
    public DeviceHeads Q, K, V, Output, DOutput, Dq, Dk, Dv;

    /// <summary>(B, H, Tq) F32.</summary>
    public long LogSumExp, Delta;

    /// <summary>(B) I32 and (B, Tq) I32, or 0 for none.</summary>
    public long Offsets, Starts;

    /// <summary>The step state, or 0 where nothing is dropped.</summary>
    public long State;

    /// <summary>B H Tq Tk: what a micro-batch draws.</summary>
    public long Draws;

    public int Batch, Heads, KeyHeads, Queries, Keys, HeadSize;

    /// <summary>1 / sqrt(D), and that times log2(e): exponentials are powers of 2.</summary>
    public float Scale, ScaleLog2;

    /// <summary>1 / (1 - p).</summary>
    public float Kept;

    /// <summary>p 2^32, rounded up: a smaller draw drops.</summary>
    public uint Threshold;

    public int Site;

    /// <summary>Keys of a row that come before its first query.</summary>
    public readonly unsafe int Offset(int batch) => Offsets == 0 ? 0 : ((int*)Offsets)[batch];
}
