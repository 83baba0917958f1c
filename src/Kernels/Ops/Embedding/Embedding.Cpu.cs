namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    private protected override void EmbeddingCore(
        Tensor tokens, Tensor weight, Tensor positions, Tensor? positionWeight, Tensor y)
    {
        int rows = (int)tokens.Count, c = weight.Shape[1];
        pool.Run(new EmbeddingKernel(
            IntPointer(tokens), Pointer(weight), IntPointer(positions), Pointer(positionWeight), Pointer(y), rows, c),
            Items(rows, RowsPerItem(c)));
    }

    private protected override void EmbeddingBackwardCore(
        Tensor dy, Tensor tokens, Tensor dWeight, Tensor positions, Tensor? dPositionWeight)
    {
        int rows = (int)tokens.Count, c = dWeight.Shape[1];
        var kernel = new EmbeddingBackwardKernel(
            Pointer(dy), IntPointer(tokens), Pointer(dWeight), IntPointer(positions), Pointer(dPositionWeight),
            rows, c);
        pool.Run(kernel, Items(c, EmbeddingBackwardKernel.ColumnsPerItem));
    }

    private readonly struct EmbeddingKernel(
        int* tokens, float* weight, int* positions, float* positionWeight, float* y, int rows, int c) : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, c);
            for (long row = first; row < end; row++)
            {
                new Span<float>(weight + (long)tokens[row] * c, c).CopyTo(new Span<float>(y + row * c, c));
                if (positionWeight is not null)
                    AddRow(y + row * c, positionWeight + (long)positions[row] * c, c);
            }
        }
    }

    // Each item owns some columns of all rows, so that two tokens of the same id never meet in two threads.
    private readonly struct EmbeddingBackwardKernel(
        float* dy, int* tokens, float* dWeight, int* positions, float* dPositionWeight, int rows, int c) : IKernel
    {
        public const int ColumnsPerItem = 64;

        public void Run(int item, int thread)
        {
            int first = item * ColumnsPerItem, count = Math.Min(ColumnsPerItem, c - first);
            for (long row = 0; row < rows; row++)
            {
                float* source = dy + row * c + first;
                AddRow(dWeight + (long)tokens[row] * c + first, source, count);
                if (dPositionWeight is not null)
                    AddRow(dPositionWeight + (long)positions[row] * c + first, source, count);
            }
        }
    }
}
