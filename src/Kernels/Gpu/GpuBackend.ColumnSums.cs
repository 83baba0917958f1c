using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    // A group sums 32 neighbouring columns, 8 threads each.
    private const int ColumnsOfGroup = 32, RowsAtOnce = GroupSize / ColumnsOfGroup;

    // Rows are summed in parts, enough to fill a device, and the parts' sums in a second pass.
    private const int SmallestRowsPart = 128, MaxRowsParts = 64;

    /// <summary>
    /// sums[j] += sum_i x[i, j] for x (rows, columns), in an order that the shape alone gives: the gradient of a bias, or of a norm's weight from partial sums.
    /// x must not lie in <see cref="ScratchPartials"/>.
    /// </summary>
    private void ColumnSums<T>(ArrayView<T> x, int rows, int columns, ArrayView<float> sums) where T : unmanaged, IElement<T>
    {
        int rowsOfPart = Math.Max(Items(rows, MaxRowsParts), SmallestRowsPart), parts = Items(rows, rowsOfPart), groups = Items(columns, ColumnsOfGroup);
        if (parts <= 1)
        {
            Launch(Groups(groups, parts), ColumnSumsKernel, x, rows, columns, rowsOfPart, sums, 1);
            return;
        }

        var partials = Scratch<float>(ScratchPartials, (long)parts * columns);
        Launch(Groups(groups, parts), ColumnSumsKernel, x, rows, columns, rowsOfPart, partials, 0);
        Launch(Groups(groups, 1), ColumnSumsKernel, partials.Cast<Float32>(), parts, columns, parts, sums, 1);
    }

    private static KernelConfig Groups(int x, int y) => new(new Index2D(x, y), new Index2D(GroupSize, 1));

    [Kernel(GroupSize)]
    private static void ColumnSumsKernel<T>(ArrayView<T> x, int rows, int columns, int rowsOfPart, ArrayView<float> sums, int accumulate)
        where T : unmanaged, IElement<T>
    {
        var ofThreads = SharedMemory.Allocate<float>(GroupSize);
        int lane = Group.IdxX % ColumnsOfGroup, column = Grid.IdxX * ColumnsOfGroup + lane;
        int first = Grid.IdxY * rowsOfPart, end = XMath.Min(first + rowsOfPart, rows);
        float sum = 0;
        if (column < columns)
        {
            for (int row = first + Group.IdxX / ColumnsOfGroup; row < end; row += RowsAtOnce)
                sum += x[row * columns + column].ToFloat();
        }

        ofThreads[Group.IdxX] = sum;
        Group.Barrier();
        if (Group.IdxX >= ColumnsOfGroup || column >= columns)
            return;
        float total = 0;
        for (int i = 0; i < RowsAtOnce; i++)
            total += ofThreads[i * ColumnsOfGroup + lane];
        int place = Grid.IdxY * columns + column;
        sums[place] = (accumulate != 0 ? sums[place] : 0) + total;
    }
}
