using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Sums of columns: a thread sums four neighbouring columns of every so many rows, a group adds up what its threads
/// have, and a second pass what groups have.
/// </summary>
internal sealed partial class GpuBackend
{
    private const int MaxLanesOfColumns = 32;

    // Rows are summed in parts: enough groups to fill a large device, of enough rows to be worth one, and few enough
    // that their sums are no work.
    private const int GroupsOfColumnSums = 1024, SmallestRowsPart = 64, MaxRowsParts = 256;

    // Parts that the second pass's threads sum without a third.
    private const int LargestRowsAlone = 512;

    /// <summary>
    /// sums[j] += sum_i x[i, j] for x (rows, columns), in an order that the shape alone gives: the gradient of a bias.
    /// x must not lie in <see cref="ScratchPartials"/>.
    /// </summary>
    private void ColumnSums<T>(ArrayView<T> x, int rows, int columns, ArrayView<float> sums, bool startsAtFour)
        where T : unmanaged, IElement<T>
    {
        var lanes = LanesOfColumns(columns);
        int groups = Items(columns, 4 * lanes.Count), packed = startsAtFour && columns % 4 == 0 ? 1 : 0;
        int parts = Math.Clamp(Items(GroupsOfColumnSums, groups), 1, MaxRowsParts),
            rowsOfPart = Math.Max(Items(rows, parts), SmallestRowsPart);
        parts = Items(rows, rowsOfPart);
        if (rows <= LargestRowsAlone)
        {
            Launch(Groups(groups, Math.Min(rows, 1)), ColumnSumsKernel, x, rows, columns, lanes, rows, sums, 1, packed);
            return;
        }

        var partials = Scratch<float>(ScratchPartials, (long)parts * columns);
        Launch(Groups(groups, parts), ColumnSumsKernel, x, rows, columns, lanes, rowsOfPart, partials, 0, packed);
        Launch(Groups(groups, 1), ColumnSumsKernel, partials.Cast<Float32>(), parts, columns, lanes, parts, sums, 1,
            columns % 4 == 0 ? 1 : 0);
    }

    private static KernelConfig Groups(int x, int y) => new(new Index2D(x, y), new Index2D(GroupSize, 1));

    /// <summary>Threads side by side, each with four columns.</summary>
    private static Lanes LanesOfColumns(int columns) => Lanes.AtLeast(Math.Min(Items(columns, 4), MaxLanesOfColumns));

    [Kernel(GroupSize)]
    private static void ColumnSumsKernel<T>(
        ArrayView<T> x, int rows, int columns, Lanes lanes, int rowsOfPart, ArrayView<float> sums, int accumulate,
        int packed)
        where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(4 * GroupSize);
        int width = 4 * lanes.Count, column = Grid.IdxX * width + 4 * lanes.Lane, count = columns - column;
        int first = Grid.IdxY * rowsOfPart, end = count > 0 ? XMath.Min(first + rowsOfPart, rows)
            : first, step = lanes.Lines;
        first += lanes.Line;
        var sum = packed != 0 ? SumOfRows<T, Fours>(x, first, end, step, columns, column, count)
            : SumOfRows<T, AnyPlaces>(x, first, end, step, columns, column, count);

        float total = SumOfSlices(sum, shared, width);
        column = Grid.IdxX * width + Group.IdxX;
        if (Group.IdxX >= width || column >= columns)
            return;
        int place = Grid.IdxY * columns + column;
        sums[place] = (accumulate != 0 ? sums[place] : 0) + total;
    }

    // Of every step-th row from the first to the end, four at once: loads that wait for one another would leave the
    // memory idle.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Float4 SumOfRows<T, TPlaces>(ArrayView<T> x, int first, int end, int step, int columns, int column,
        int count)
        where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        Float4 sum = default;
        int row = first;
        for (; row + 3 * step < end; row += 4 * step)
        {
            int place = row * columns + column, next = step * columns;
            Float4 a = FourElements.Load<T, TPlaces>(x, place, count),
                b = FourElements.Load<T, TPlaces>(x, place + next, count);
            Float4 c = FourElements.Load<T, TPlaces>(x, place + 2 * next, count),
                d = FourElements.Load<T, TPlaces>(x, place + 3 * next, count);
            sum += (a + b) + (c + d);
        }

        for (; row < end; row += step)
            sum += FourElements.Load<T, TPlaces>(x, row * columns + column, count);
        return sum;
    }

    /// <summary>
    /// Adds up the four columns of a group's threads, <paramref name="width"/> / 4 side by side: the column's sum for
    /// each of the first <paramref name="width"/> threads.
    /// <paramref name="shared"/> is memory for four floats of each thread, free for other use afterwards.
    /// </summary>
    private static float SumOfSlices(Float4 value, ArrayView<float> shared, int width)
    {
        int place = 4 * Group.IdxX;
        shared[place] = value.X;
        shared[place + 1] = value.Y;
        shared[place + 2] = value.Z;
        shared[place + 3] = value.W;
        Group.Barrier();
        float sum = 0;
        if (Group.IdxX < width)
        {
            for (int i = Group.IdxX; i < 4 * GroupSize; i += width)
                sum += shared[i];
        }

        Group.Barrier(); // all have read before the next sum
        return sum;
    }
}
