namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// 8-bit weights run on the CPU alone: <see cref="GpuBackend.Supports"/> says so, and their memory is refused before
/// any op is called.
/// </summary>
internal sealed partial class GpuBackend
{
    private protected override void QuantizeCore(ReadOnlySpan<float> x, int k, QuantizedMatrix y) =>
        throw NoQuantizedOps();

    private protected override void QuantizedMatMulCore(Tensor x, QuantizedMatrix weight, Tensor? bias, Tensor y) =>
        throw NoQuantizedOps();

    private protected override void QuantizedEmbeddingCore(
        Tensor tokens, QuantizedMatrix weight, Tensor positions, QuantizedMatrix? positionWeight, Tensor y) =>
            throw NoQuantizedOps();

    private protected override void QuantizedLinearCrossEntropyCore(
        Tensor hidden, QuantizedMatrix weight, Tensor targets, int vocabulary, Tensor logProbabilities,
        Tensor logSumExp) =>
            throw NoQuantizedOps();

    private InvalidOperationException NoQuantizedOps() => new($"{Name}: there are no ops with 8-bit weights here.");
}
