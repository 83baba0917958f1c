using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    // Rows of dy whose equal ids one group sums, before the sums of all chunks are added up: a token that fills the batch is worked on by many groups.
    private const int RowsOfChunk = 128;

    // Rows that a group looks through at once for an id.
    private const int RowsOfBlock = 4 * GroupSize;

    private protected override void EmbeddingCore(Tensor tokens, Tensor weight, Tensor positions, Tensor? positionWeight, Tensor y)
    {
        if (y.DType == DType.BF16)
            Embedding<BFloat16>(tokens, weight, positions, positionWeight, y);
        else
            Embedding<Float32>(tokens, weight, positions, positionWeight, y);
    }

    private protected override void EmbeddingBackwardCore(Tensor dy, Tensor tokens, Tensor dWeight, Tensor positions, Tensor? dPositionWeight)
    {
        if (dy.DType == DType.BF16)
            EmbeddingBackward<BFloat16>(dy, tokens, dWeight, positions, dPositionWeight);
        else
            EmbeddingBackward<Float32>(dy, tokens, dWeight, positions, dPositionWeight);
    }

    private void Embedding<T>(Tensor tokens, Tensor weight, Tensor positions, Tensor? positionWeight, Tensor y) where T : unmanaged, IElement<T> =>
        Launch(Each(y.Count), EmbeddingKernel, Integers(tokens), View<T>(weight), Integers(positions), View<T>(positionWeight), weight.Shape[1], View<T>(y));

    private void EmbeddingBackward<T>(Tensor dy, Tensor tokens, Tensor dWeight, Tensor positions, Tensor? dPositionWeight) where T : unmanaged, IElement<T>
    {
        AddRowsById<T>(dy, tokens, dWeight);
        if (dPositionWeight is { } table)
            AddRowsById<T>(dy, positions, table);
    }

    // table[ids[n]] += dy[n] for all rows n, in a fixed order. A group has a row, and works where that row is the first with its id: of its chunk, then of all. The
    // first rows of chunks keep their ids, all others have none.
    private void AddRowsById<T>(Tensor dy, Tensor ids, Tensor table) where T : unmanaged, IElement<T>
    {
        int rows = (int)ids.Count, c = table.Shape[1];
        var sums = Scratch<float>(ScratchRows, dy.Count);
        var leadingIds = Scratch<int>(ScratchFlags, rows);
        var config = new KernelConfig(rows, GroupSize);
        Launch(config, SumRowsOfChunkKernel, View<T>(dy), Integers(ids), c, sums, leadingIds);
        Launch(config, AddChunksKernel, sums, leadingIds, c, Floats(table));
    }

    [Kernel(GroupSize)]
    private static void EmbeddingKernel<T>(ArrayView<int> tokens, ArrayView<T> weight, ArrayView<int> positions, ArrayView<T> positionWeight, int c, ArrayView<T> y)
        where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= y.IntLength)
            return;
        int row = i / c, column = i % c;
        float value = weight[tokens[row] * c + column].ToFloat();
        if (positionWeight.IntLength > 0)
            value += positionWeight[positions[row] * c + column].ToFloat();
        y[i] = default(T).From(value);
    }

    // Where no row before it in its chunk has its id, a row leads: sums[row] is the sum of the chunk's rows with that id, and leadingIds[row] the id instead of -1.
    [Kernel(GroupSize)]
    private static void SumRowsOfChunkKernel<T>(ArrayView<T> dy, ArrayView<int> ids, int c, ArrayView<float> sums, ArrayView<int> leadingIds)
        where T : unmanaged, IElement<T>
    {
        var flags = SharedMemory.Allocate<int>(GroupSize);
        var list = SharedMemory.Allocate<int>(GroupSize + 1);
        int row = Grid.IdxX, other = row / RowsOfChunk * RowsOfChunk + Group.IdxX;
        bool same = Group.IdxX < RowsOfChunk && other < ids.IntLength && ids[other] == ids[row];
        ListOfGroup(same, other, flags, list);

        bool first = list[0] == row;
        if (Group.IdxX == 0)
            leadingIds[row] = first ? ids[row] : -1;
        for (int column = first ? Group.IdxX : c; column < c; column += GroupSize)
        {
            float sum = 0;
            for (int i = 0; list[i] >= 0; i++)
                sum += dy[list[i] * c + column].ToFloat();
            sums[row * c + column] = sum;
        }
    }

    // The first of all rows with its id adds up what the leading rows with that id have. Most blocks of rows have none: a thread looks at several rows of a block at once.
    [Kernel(GroupSize)]
    private static void AddChunksKernel(ArrayView<float> sums, ArrayView<int> leadingIds, int c, ArrayView<float> table)
    {
        var flags = SharedMemory.Allocate<int>(GroupSize);
        var list = SharedMemory.Allocate<int>(GroupSize + 1);
        var found = SharedMemory.Allocate<int>(1);
        int row = Grid.IdxX, id = leadingIds[row], rows = leadingIds.IntLength, end = id >= 0 ? rows : 0;
        if (Group.IdxX == 0)
            found[0] = -1;
        Group.Barrier();

        for (int start = 0; start < end; start += RowsOfBlock)
        {
            int other = start + Group.IdxX, last = rows - 1;
            int a = leadingIds[XMath.Min(other, last)], b = leadingIds[XMath.Min(other + GroupSize, last)];
            int d = leadingIds[XMath.Min(other + 2 * GroupSize, last)], e = leadingIds[XMath.Min(other + 3 * GroupSize, last)];
            if (a == id || b == id || d == id || e == id)
                found[0] = start; // whoever writes, writes the same
            Group.Barrier();
            for (int next = found[0] == start ? start : end; next < start + RowsOfBlock && next < end; next += GroupSize)
            {
                other = next + Group.IdxX;
                ListOfGroup(other < rows && leadingIds[XMath.Min(other, last)] == id, other, flags, list);
                if (list[0] >= 0 && list[0] < row)
                    end = 0; // another row is the first
                for (int column = Group.IdxX; column < c && end > 0; column += GroupSize)
                {
                    float sum = table[id * c + column];
                    for (int i = 0; list[i] >= 0; i++)
                        sum += sums[list[i] * c + column];
                    table[id * c + column] = sum;
                }

                Group.Barrier(); // the list is overwritten in the next turn
            }

            Group.Barrier(); // all have read what was found
        }
    }

    /// <summary>Lists the values of the group's threads that are <paramref name="listed"/>, in the threads' order, with -1 behind the last one.</summary>
    private static void ListOfGroup(bool listed, int value, ArrayView<int> flags, ArrayView<int> list)
    {
        int thread = Group.IdxX;
        flags[thread] = listed ? 1 : 0;
        list[thread] = -1;
        if (thread == 0)
            list[GroupSize] = -1;
        Group.Barrier();
        if (listed)
        {
            int place = 0;
            for (int i = 0; i < thread; i++)
                place += flags[i];
            list[place] = value;
        }

        Group.Barrier();
    }
}
