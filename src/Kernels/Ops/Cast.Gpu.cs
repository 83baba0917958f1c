using ILGPU;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void CastCore(Tensor x, Tensor y)
    {
        switch (x.DType, y.DType)
        {
            case (DType.F32, DType.F32):
                Cast<Float32, Float32>(x, y);
                break;
            case (DType.F32, DType.BF16):
                Cast<Float32, BFloat16>(x, y);
                break;
            case (DType.BF16, DType.F32):
                Cast<BFloat16, Float32>(x, y);
                break;
            default:
                Cast<BFloat16, BFloat16>(x, y);
                break;
        }
    }

    private void Cast<TX, TY>(Tensor x, Tensor y) where TX : unmanaged, IElement<TX>
        where TY : unmanaged, IElement<TY> =>
            Launch(Each(y.Count), CastKernel, View<TX>(x), View<TY>(y));

    [Kernel(GroupSize)]
    private static void CastKernel<TX, TY>(ArrayView<TX> x, ArrayView<TY> y) where TX : unmanaged, IElement<TX>
        where TY : unmanaged, IElement<TY>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < y.IntLength)
            y[i] = default(TY).From(x[i].ToFloat());
    }
}
