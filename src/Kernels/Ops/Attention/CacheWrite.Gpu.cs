using ILGPU;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void CacheWriteCore(Tensor x, Tensor offsets, Tensor cache)
    {
        if (x.DType == DType.BF16)
            CacheWrite<BFloat16>(x, offsets, cache);
        else
            CacheWrite<Float32>(x, offsets, cache);
    }

    private void CacheWrite<T>(Tensor x, Tensor offsets, Tensor cache) where T : unmanaged, IElement<T>
    {
        var (t, heads, d) = (x.Shape[1], x.Shape[2], x.Shape[3]);
        Launch(Each(x.Count), CacheWriteKernel, View<T>(x), Rows.Of(x), Integers(offsets), View<T>(cache),
            Rows.Of(cache), (int)x.Count, t, cache.Shape[1], heads, d);
    }

    [Kernel(GroupSize)]
    private static void CacheWriteKernel<T>(ArrayView<T> x, Rows xRows, ArrayView<int> offsets, ArrayView<T> cache,
        Rows cacheRows, int count, int t, int tmax, int heads, int d)
        where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= count)
            return;
        int row = i / d, column = i % d, head = row % heads, token = row / heads, batch = token / t;
        int place = batch * tmax + offsets[batch] + token % t;
        cache[cacheRows.At(place * heads + head) + column] = x[xRows.At(row) + column];
    }
}
