namespace TinyLlm.Kernels.Gpu;

/// <summary>A (B, T, H, D) tensor of bf16 on a device, strided over all but the last dimension.</summary>
/// <param name="Address">Of the first element.</param>
/// <param name="BatchStride">Elements from a row of the batch to the next.</param>
/// <param name="TokenStride">Elements from a token to the next.</param>
/// <param name="HeadStride">Elements from a head to the next.</param>
internal readonly record struct DeviceHeads(long Address, int BatchStride, int TokenStride, int HeadStride)
{
    /// <summary>
    /// Whether every token of a head starts at a multiple of 16 bytes, so that it can be copied in chunks of that size.
    /// </summary>
    public bool IsAligned => Address % 16 == 0 && BatchStride % 8 == 0 && TokenStride % 8 == 0 && HeadStride % 8 == 0;

    /// <summary><paramref name="x"/>, whose first element is at <paramref name="address"/>.</summary>
    public static DeviceHeads Of(Tensor x, long address) => new(address, x.Stride(0), x.Stride(1), x.Stride(2));

    /// <summary>Address of the first token of a head.</summary>
    public long At(int batch, int head) => Address + 2 * ((long)batch * BatchStride + (long)head * HeadStride);
}
