// Removed piece by piece as the ops arrive.
namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void AttentionCore(Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, AttentionMask mask, AttentionDropout dropout) => throw new NotSupportedException();

    private protected override void AttentionBackwardCore(Tensor dOutput, Tensor q, Tensor k, Tensor v, Tensor output, Tensor logSumExp, Tensor dq, Tensor dk, Tensor dv, AttentionMask mask, AttentionDropout dropout) => throw new NotSupportedException();

}
