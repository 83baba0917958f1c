namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void SumSquaresCore(Tensor x, Tensor sum) =>
        SumOfProducts(x, x, scale: 1, sum, accumulate: false);
}
