namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void SumSquaresCore(Tensor x, Tensor sum) =>
        *Pointer(sum) = (float)SumOfProducts(Pointer(x), Pointer(x), x.Count);
}
