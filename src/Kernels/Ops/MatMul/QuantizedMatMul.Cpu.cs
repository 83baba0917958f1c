namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void QuantizedMatMulCore(Tensor x, QuantizedMatrix weight, Tensor? bias, Tensor y)
    {
        int m = x.Shape[0], k = x.Shape[1];
        var rows = QuantizedRows.Of(weight);
        if (m <= MatVecKernel.MaxRows)
            QuantizedMatVec(Pointer(x), rows, Pointer(bias), Pointer(y), m, k);
        else
        {
            Multiply(m, rows.Count, k, new Operand(Pointer(x), k), new QuantizedColumns(this, rows), Pointer(y),
                accumulate: false, new BiasEpilogue(Pointer(bias), Pointer(y), rows.Count));
        }
    }

    /// <summary>
    /// The columns of W^T: rows of 8-bit weights, which become floats again while they are packed. A product of many
    /// rows is that of floats.
    /// </summary>
    private readonly struct QuantizedColumns(CpuBackend<V> backend, QuantizedRows weight) : IColumns
    {
        public void Pack(int column, int columns, int depth, int depths, float* packed, int thread)
        {
            // A panel at a time: it stays in the first-level cache until it is packed. Blocks of depth are whole blocks
            // of weights, but for the last.
            const int size = QuantizedMatrix.BlockSize;
            int firstBlock = depth / size, blocks = (depths + size - 1) / size, width = blocks * size;
            float* panel = backend.Scratch(thread, (long)Gemm<V>.NR * width);
            for (int end = column + columns; column < end; column += Gemm<V>.NR, packed += (long)Gemm<V>.NR * depths)
            {
                int count = Math.Min(Gemm<V>.NR, end - column);
                for (int i = 0; i < count; i++)
                {
                    QuantizedBlock.WidenRow(
                        weight.Values(column + i) + depth, weight.Scales(column + i) + firstBlock, blocks,
                        panel + i * width);
                }

                Gemm<V>.PackB(new Operand(panel, width, transposed: true), count, depths, packed);
            }
        }
    }
}
