namespace TinyLlm.Kernels.Cpu;

/// <summary>How ops cut their work into items: by shape alone, so that the number of threads changes no bit.</summary>
internal sealed unsafe partial class CpuBackend<V>
{
    /// <summary>Elements of one item of an element-wise kernel: enough work to be worth handing out.</summary>
    private const int Chunk = 16384;

    private static int Items(long count, int perItem) => checked((int)((count + perItem - 1) / perItem));

    /// <summary>The elements of one item of an element-wise kernel.</summary>
    private static (long First, long End) ChunkOf(int item, long count)
    {
        long first = (long)item * Chunk;
        return (first, Math.Min(count, first + Chunk));
    }

    /// <summary>Rows of one item of a row-wise kernel.</summary>
    private static int RowsPerItem(int columns) => Math.Max(1, Chunk / Math.Max(1, columns));

    /// <summary>The rows of one item of a row-wise kernel.</summary>
    private static (int First, int End) RowsOf(int item, int rows, int columns)
    {
        int first = item * RowsPerItem(columns);
        return (first, Math.Min(rows, first + RowsPerItem(columns)));
    }

    /// <summary>Addresses of the rows (all sizes but the last) of a tensor that may be strided.</summary>
    private readonly struct Rows
    {
        private readonly float* pointer;
        private readonly int size1, size2;
        private readonly long stride0, stride1, stride2;

        private Rows(float* pointer, int size1, int size2, long stride0, long stride1, long stride2)
        {
            this.pointer = pointer;
            (this.size1, this.size2) = (size1, size2);
            (this.stride0, this.stride1, this.stride2) = (stride0, stride1, stride2);
        }

        public float* this[int row] =>
            pointer + row / size2 / size1 * stride0 + row / size2 % size1 * stride1 + row % size2 * stride2;

        public static Rows Of(Tensor x)
        {
            // A contiguous tensor is one dimension of rows, whatever its rank: no divisions that matter.
            if (x.IsContiguous)
                return new Rows(Pointer(x), 1, int.MaxValue, 0, 0, x.Shape[-1]);

            int rank = x.Shape.Rank;
            return rank switch
            {
                4 => new Rows(Pointer(x), x.Shape[1], x.Shape[2], x.Stride(0), x.Stride(1), x.Stride(2)),
                3 => new Rows(Pointer(x), int.MaxValue, x.Shape[1], 0, x.Stride(0), x.Stride(1)),
                _ => new Rows(Pointer(x), 1, int.MaxValue, 0, 0, rank == 2 ? x.Stride(0) : 0),
            };
        }
    }
}
