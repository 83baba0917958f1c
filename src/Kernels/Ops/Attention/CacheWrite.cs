namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>Appends keys or values to a cache: cache[b, offsets[b] + t] = x[b, t].</summary>
    /// <param name="x">(B, T, Hkv, D) F32 or BF16; may be strided.</param>
    /// <param name="offsets">(B) I32: tokens that each row of the cache holds already; offsets[b] + T must not pass
    /// Tmax.</param>
    /// <param name="cache">(B, Tmax, Hkv, D), dtype of x; may be strided.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void CacheWrite(Tensor x, Tensor offsets, Tensor cache)
    {
        const string op = nameof(CacheWrite);
        Check.That(x.Shape.Rank == 4 && cache.Shape.Rank == 4
            && x.Shape[1] <= cache.Shape[1], op,
                $"x is {x.Shape}, cache is {cache.Shape}; expected (B, T, Hkv, D) and (B, Tmax, Hkv, D).");
        Check.Shape(op, x, (cache.Shape[0], x.Shape[1], cache.Shape[2], cache.Shape[3]), cache.DType, strided: true);
        Check.Shape(op, offsets, x.Shape[0], DType.I32);
        Check.Floating(op, cache, strided: true);
        CacheWriteCore(x, offsets, cache);
    }

    private protected abstract void CacheWriteCore(Tensor x, Tensor offsets, Tensor cache);
}
