using ILGPU;

namespace TinyLlm.Kernels.Gpu;

/// <summary>A function of one number, applied to each element of a tensor.</summary>
internal interface IMap
{
    /// <summary>The value at <paramref name="x"/>.</summary>
    float Of(float x);
}

/// <summary>A function of two numbers, applied to each pair of elements of two tensors.</summary>
internal interface IMap2
{
    /// <summary>The value at (<paramref name="a"/>, <paramref name="b"/>).</summary>
    float Of(float a, float b);
}

/// <summary>
/// Element-wise ops: the function is a struct, for which ILGPU compiles a kernel of its own, and each thread does four
/// elements.
/// </summary>
internal sealed partial class GpuBackend
{
    private void Map<TMap>(Tensor x, Tensor y) where TMap : unmanaged, IMap
    {
        if (x.DType == DType.BF16)
            Map<BFloat16, TMap>(x, y);
        else
            Map<Float32, TMap>(x, y);
    }

    private void Map2<TMap>(Tensor a, Tensor b, Tensor y) where TMap : unmanaged, IMap2
    {
        if (y.DType == DType.BF16)
            Map2<BFloat16, TMap>(a, b, y);
        else
            Map2<Float32, TMap>(a, b, y);
    }

    private void Map<T, TMap>(Tensor x, Tensor y) where T : unmanaged, IElement<T> where TMap : unmanaged, IMap =>
        Launch(EachFour(y.Count), MapKernel<T, TMap>, View<T>(x), View<T>(y), Starts(x, y));

    private void Map2<T, TMap>(Tensor a, Tensor b, Tensor y) where T : unmanaged, IElement<T>
        where TMap : unmanaged, IMap2 =>
            Launch(EachFour(y.Count), Map2Kernel<T, TMap>, View<T>(a), View<T>(b), View<T>(y), Starts(a, b, y));

    /// <summary>Groups that have one thread for each four of <paramref name="count"/> elements.</summary>
    private static KernelConfig EachFour(long count) => Each((count + 3) / 4);

    /// <summary>1 where all these contiguous tensors begin at a multiple of four elements, else 0.</summary>
    private static int Starts(Tensor a, Tensor b) => (a.Offset | b.Offset) % 4 == 0 ? 1 : 0;

    private static int Starts(Tensor a, Tensor b, Tensor c) => (a.Offset | b.Offset | c.Offset) % 4 == 0 ? 1 : 0;

    [Kernel(GroupSize)]
    private static void MapKernel<T, TMap>(ArrayView<T> x, ArrayView<T> y, int packed) where T : unmanaged, IElement<T>
        where TMap : unmanaged, IMap
    {
        int i = 4 * (Grid.IdxX * Group.DimX + Group.IdxX), count = y.IntLength - i;
        if (count <= 0)
            return;
        TMap map = default;
        var u = FourElements.Load(x, i, count, packed);
        FourElements.Store(y, i, count, packed, new Float4(map.Of(u.X), map.Of(u.Y), map.Of(u.Z), map.Of(u.W)));
    }

    [Kernel(GroupSize)]
    private static void Map2Kernel<T, TMap>(ArrayView<T> a, ArrayView<T> b, ArrayView<T> y, int packed)
        where T : unmanaged, IElement<T> where TMap : unmanaged, IMap2
    {
        int i = 4 * (Grid.IdxX * Group.DimX + Group.IdxX), count = y.IntLength - i;
        if (count <= 0)
            return;
        TMap map = default;
        Float4 u = FourElements.Load(a, i, count, packed), v = FourElements.Load(b, i, count, packed);
        FourElements.Store(
            y, i, count, packed, new Float4(map.Of(u.X, v.X), map.Of(u.Y, v.Y), map.Of(u.Z, v.Z), map.Of(u.W, v.W)));
    }
}
