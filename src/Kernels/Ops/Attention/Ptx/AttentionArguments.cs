namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The one parameter of all attention kernels on tensor cores: addresses on the device and numbers, as they lie in
/// memory.
/// </summary>
internal struct AttentionArguments
{
    /// <summary>Of <see cref="Backend.Attention"/>.</summary>
    public DeviceHeads Q, K, V, Output;

    /// <summary>Of <see cref="Backend.AttentionBackward"/>; the forward pass does not look at them.</summary>
    public DeviceHeads DOutput, Dq, Dk, Dv;

    /// <summary>Addresses of log-sum-exp, (B, H, Tq) F32, and of the backward pass's workspace.</summary>
    public long LogSumExp, Delta;

    /// <summary>Addresses of offsets, (B) I32, and starts, (B, Tq) I32; 0 for none.</summary>
    public long Offsets, Starts;

    /// <summary>Address of the step state; 0 where nothing is dropped.</summary>
    public long State;

    /// <summary>B H Tq Tk: numbers that a micro-batch draws.</summary>
    public long Draws;

    /// <summary>B, H, Hkv, Tq, Tk, D.</summary>
    public int Batch, Heads, KeyHeads, Queries, Keys, HeadSize;

    /// <summary>1 / sqrt(D), and that times log2(e): exponentials are powers of 2.</summary>
    public float Scale, ScaleLog2;

    /// <summary>1 / (1 - p).</summary>
    public float Kept;

    /// <summary>p 2^32, rounded up: what draws less is dropped.</summary>
    public uint Threshold;

    /// <summary>Number of the place in the model.</summary>
    public int Site;

    /// <summary>Heads of queries that share a head of keys.</summary>
    public readonly int GroupSize => Heads / KeyHeads;

    /// <summary>The numbers for (B, Tq, H, D) queries and (B, Tk, Hkv, D) keys; all addresses are 0.</summary>
    public static AttentionArguments Of(Shape q, Shape k, float dropout, int site)
    {
        var rule = new DropoutRule(dropout);
        return new()
        {
            Draws = (long)q[0] * q[2] * q[1] * k[1],
            Batch = q[0],
            Heads = q[2],
            KeyHeads = k[2],
            Queries = q[1],
            Keys = k[1],
            HeadSize = q[3],
            Scale = (float)(1 / Math.Sqrt(q[3])),
            ScaleLog2 = (float)(Math.Log2(Math.E) / Math.Sqrt(q[3])),
            Kept = rule.Kept,
            Threshold = rule.Threshold,
            Site = site,
        };
    }

    /// <summary>In a kernel: keys of a row of the batch that come before its first query.</summary>
    public readonly unsafe int Offset(int batch) => Offsets == 0 ? 0 : ((int*)Offsets)[batch];
}
