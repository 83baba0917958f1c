namespace TinyLlm.Kernels.Gpu;

/// <summary>How a (B, T, H, D) tensor lies in memory, whose heads are (T, D) matrices.</summary>
internal readonly struct HeadStrides(Tensor x)
{
    private readonly int batchStride = x.Stride(0), headStride = x.Stride(2);

    /// <summary>Distance between the tokens of one head.</summary>
    public int Token { get; } = x.Stride(1);

    /// <summary>Place of a token's first element in one head.</summary>
    public int At(int batch, int head, int token) => batch * batchStride + head * headStride + token * Token;
}

/// <summary>
/// The sizes of an attention and how its tensors lie: an argument of its kernels. The gradients of the same tensors
/// have a layout of their own.
/// </summary>
internal readonly struct AttentionLayout(Tensor q, Tensor k, Tensor v, Tensor output)
{
    /// <summary>H, and the tokens Tq of each head.</summary>
    public int Heads { get; } = q.Shape[2];

    public int Queries { get; } = q.Shape[1];

    /// <summary>Hkv, and the tokens Tk of each head.</summary>
    public int KeyHeads { get; } = k.Shape[2];

    public int Keys { get; } = k.Shape[1];

    /// <summary>Query heads that share a key head.</summary>
    public int HeadsPerKeyHead { get; } = q.Shape[2] / k.Shape[2];

    /// <summary>D.</summary>
    public int HeadSize { get; } = q.Shape[3];

    /// <summary>1 / sqrt(D).</summary>
    public float Scale { get; } = 1 / MathF.Sqrt(q.Shape[3]);

    public HeadStrides Q { get; } = new(q);

    public HeadStrides K { get; } = new(k);

    public HeadStrides V { get; } = new(v);

    public HeadStrides Output { get; } = new(output);

    /// <summary>Place of a query in the (B, H, Tq) tensors.</summary>
    public int Row(int batch, int head, int query) => (batch * Heads + head) * Queries + query;

    /// <summary>Number that the probability of a row and a key draws; see <see cref="Backend.Attention"/>.</summary>
    public long Pair(int row, int key) => (long)row * Keys + key;
}
