namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void QuantizeCore(ReadOnlySpan<float> x, int k, QuantizedMatrix y)
    {
        fixed (float* source = x)
            pool.Run(new QuantizeKernel(this, source, k, QuantizedRows.Of(y)), Items(y.Rows, RowsPerItem(k)));
    }

    /// <summary>The rows of a <see cref="QuantizedMatrix"/> in memory.</summary>
    private readonly struct QuantizedRows(sbyte* values, float* scales, int count, int blocks)
    {
        public int Count => count;

        public int Blocks => blocks;

        /// <summary>Elements of a row, those behind the last weight included.</summary>
        public int Width => blocks * QuantizedMatrix.BlockSize;

        public static QuantizedRows Of(QuantizedMatrix matrix) =>
            new((sbyte*)((CpuStorage)matrix.Values.Storage).Pointer + matrix.Values.Offset, Pointer(matrix.Scales),
                matrix.Rows, matrix.Blocks);

        public sbyte* Values(int row) => values + (long)row * Width;

        public float* Scales(int row) => scales + (long)row * blocks;

        /// <summary>A row as <see cref="Width"/> floats.</summary>
        public void Widen(int row, float* x) => QuantizedBlock.WidenRow(Values(row), Scales(row), blocks, x);
    }

    // A row of k elements as whole blocks, zeros behind it.
    private static void CopyPadded(float* x, int k, float* blocks, int width)
    {
        new Span<float>(x, k).CopyTo(new Span<float>(blocks, k));
        new Span<float>(blocks + k, width - k).Clear();
    }

    private readonly struct QuantizeKernel(CpuBackend<V> backend, float* x, int k, QuantizedRows y) : IKernel
    {
        public void Run(int item, int thread)
        {
            float* row = backend.Scratch(thread, y.Width);
            var (first, end) = RowsOf(item, y.Count, k);
            for (int i = first; i < end; i++)
            {
                CopyPadded(x + (long)i * k, k, row, y.Width);
                for (int block = 0; block < y.Blocks; block++)
                {
                    y.Scales(i)[block] = QuantizedBlock.Round(
                        row + block * QuantizedMatrix.BlockSize, y.Values(i) + block * QuantizedMatrix.BlockSize);
                }
            }
        }
    }
}
