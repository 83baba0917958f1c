namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void QuantizedEmbeddingCore(
        Tensor tokens, QuantizedMatrix weight, Tensor positions, QuantizedMatrix? positionWeight, Tensor y)
    {
        int rows = (int)tokens.Count, c = y.Shape[-1];
        var table = QuantizedRows.Of(weight);
        pool.Run(new QuantizedEmbeddingKernel(
            this, IntPointer(tokens), table, IntPointer(positions), positionWeight is { } places
            ? QuantizedRows.Of(places) : default, Pointer(y), rows, c),
            Items(rows, RowsPerItem(c)));
    }

    private readonly struct QuantizedEmbeddingKernel(
        CpuBackend<V> backend, int* tokens, QuantizedRows table, int* positions, QuantizedRows places, float* y,
        int rows, int c) : IKernel
    {
        public void Run(int item, int thread)
        {
            float* row = backend.Scratch(thread, table.Width);
            var (first, end) = RowsOf(item, rows, c);
            for (int i = first; i < end; i++)
            {
                float* result = y + (long)i * c;
                table.Widen(tokens[i], row);
                new Span<float>(row, c).CopyTo(new Span<float>(result, c));
                if (places.Count == 0)
                    continue;
                places.Widen(positions[i], row);
                AddRow(result, row, c);
            }
        }
    }
}
