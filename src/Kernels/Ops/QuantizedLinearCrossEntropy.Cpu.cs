namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void QuantizedLinearCrossEntropyCore(Tensor hidden, QuantizedMatrix weight, Tensor targets, int vocabulary, Tensor logProbabilities, Tensor logSumExp)
    {
        int n = hidden.Shape[0], c = hidden.Shape[1], padded = weight.Rows, rowsPerChunk = RowsPerLogitsChunk(n, padded);
        float* logits = SharedScratch(SharedLogits, (long)rowsPerChunk * padded);
        for (int row = 0; row < n; row += rowsPerChunk)
        {
            int rows = Math.Min(rowsPerChunk, n - row);
            MultiplyQuantized(Pointer(hidden) + (long)row * c, QuantizedRows.Of(weight), null, logits, rows, c);
            pool.Run(new LogProbabilityKernel(logits, IntPointer(targets) + row, Pointer(logProbabilities) + row, Pointer(logSumExp) + row, rows, vocabulary, padded),
                Items(rows, RowsPerItem(padded)));
        }
    }
}
