using ILGPU;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void AddCore(Tensor a, Tensor b, Tensor y)
    {
        if (y.DType == DType.BF16)
            Add<BFloat16>(a, b, y);
        else
            Add<Float32>(a, b, y);
    }

    private void Add<T>(Tensor a, Tensor b, Tensor y) where T : unmanaged, IElement<T> =>
        Launch(Each(y.Count), AddKernel, View<T>(a), View<T>(b), View<T>(y));

    [Kernel(GroupSize)]
    private static void AddKernel<T>(ArrayView<T> a, ArrayView<T> b, ArrayView<T> y) where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < y.IntLength)
            y[i] = default(T).From(a[i].ToFloat() + b[i].ToFloat());
    }
}
