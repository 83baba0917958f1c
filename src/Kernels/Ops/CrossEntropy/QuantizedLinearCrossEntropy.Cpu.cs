namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void QuantizedLinearCrossEntropyCore(
        Tensor hidden, QuantizedMatrix weight, Tensor targets, int vocabulary, Tensor logProbabilities,
        Tensor logSumExp) =>
            LogProbabilities(
                new HeadPass(this, hidden, weight.Rows, targets, vocabulary, logSumExp),
                new QuantizedColumns(this, QuantizedRows.Of(weight)), logProbabilities);
}
