namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    // The CPU computes in F32 alone, so there is nothing to round.
    private protected override void CastCore(Tensor x, Tensor y) =>
        new Span<float>(Pointer(x), checked((int)x.Count)).CopyTo(new Span<float>(Pointer(y), checked((int)y.Count)));
}
