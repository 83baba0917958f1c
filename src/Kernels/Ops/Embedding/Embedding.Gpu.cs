using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    // Rows of dy whose equal ids one group sums, before the sums of all chunks are added up: a token that fills the
    // batch is worked on by many groups.
    private const int RowsOfChunk = 128;

    // Rows that a group looks through at once for an id.
    private const int RowsOfBlock = 4 * GroupSize;

    private protected override void EmbeddingCore(
        Tensor tokens, Tensor weight, Tensor positions, Tensor? positionWeight, Tensor y)
    {
        if (y.DType == DType.BF16)
            Embedding<BFloat16>(tokens, weight, positions, positionWeight, y);
        else
            Embedding<Float32>(tokens, weight, positions, positionWeight, y);
    }

    private protected override void EmbeddingBackwardCore(
        Tensor dy, Tensor tokens, Tensor dWeight, Tensor positions, Tensor? dPositionWeight)
    {
        if (dy.DType == DType.BF16)
            EmbeddingBackward<BFloat16>(dy, tokens, dWeight, positions, dPositionWeight);
        else
            EmbeddingBackward<Float32>(dy, tokens, dWeight, positions, dPositionWeight);
    }

    private void Embedding<T>(Tensor tokens, Tensor weight, Tensor positions, Tensor? positionWeight, Tensor y)
        where T : unmanaged, IElement<T> =>
            Launch(Each(tokens.Count * Items(weight.Shape[1], 4)), EmbeddingKernel, Integers(tokens),
                View<T>(weight), Integers(positions), View<T>(positionWeight), weight.Shape[1],
                    new Divisor(Items(weight.Shape[1], 4)), View<T>(y),
                    FitTable(weight) & FitTable(positionWeight ?? weight) & FitTable(y));

    private static int FitTable(Tensor table) => FourElements.FitRows(table) ? 1 : 0;

    private void EmbeddingBackward<T>(
        Tensor dy, Tensor tokens, Tensor dWeight, Tensor positions, Tensor? dPositionWeight)
        where T : unmanaged, IElement<T>
    {
        AddRowsById<T>(dy, tokens, dWeight);
        if (dPositionWeight is { } table)
            AddRowsById<T>(dy, positions, table);
    }

    // table[ids[n]] += dy[n] for all rows n, in a fixed order. A group has a row, and works where that row is the first
    // with its id: of its chunk, then of all. The first rows of chunks keep their ids, all others have none.
    private void AddRowsById<T>(Tensor dy, Tensor ids, Tensor table) where T : unmanaged, IElement<T>
    {
        int rows = (int)ids.Count, c = table.Shape[1];
        var sums = Scratch<float>(ScratchRows, dy.Count);
        var leadingIds = Scratch<int>(ScratchFlags, rows);
        var config = new KernelConfig(rows, GroupSize);
        Launch(config, SumRowsOfChunkKernel, View<T>(dy), Integers(ids), c, sums, leadingIds);
        Launch(config, AddChunksKernel, sums, leadingIds, c, Floats(table));
    }

    // A thread has four neighbouring columns of a token.
    [Kernel(GroupSize)]
    private static void EmbeddingKernel<T>(
        ArrayView<int> tokens, ArrayView<T> weight, ArrayView<int> positions, ArrayView<T> positionWeight, int c,
        Divisor foursOfRow, ArrayView<T> y, int packed)
        where T : unmanaged, IElement<T>
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, row = foursOfRow.Quotient(thread),
            column = 4 * (thread - row * ((c + 3) / 4)), count = c - column;
        if (row >= tokens.IntLength)
            return;
        var value = FourElements.Load(weight, tokens[row] * c + column, count, packed);
        if (positionWeight.IntLength > 0)
            value += FourElements.Load(positionWeight, positions[row] * c + column, count, packed);
        FourElements.Store(y, row * c + column, count, packed, value);
    }

    // Where no row before it in its chunk has its id, a row leads: sums[row] is the sum of the chunk's rows with that
    // id, and leadingIds[row] the id instead of -1.
    [Kernel(GroupSize)]
    private static void SumRowsOfChunkKernel<T>(
        ArrayView<T> dy, ArrayView<int> ids, int c, ArrayView<float> sums, ArrayView<int> leadingIds)
        where T : unmanaged, IElement<T>
    {
        var masks = SharedMemory.Allocate<int>(GroupSize / 32);
        var list = SharedMemory.Allocate<int>(GroupSize + 4);
        int row = Grid.IdxX, other = row / RowsOfChunk * RowsOfChunk + Group.IdxX;
        bool same = Group.IdxX < RowsOfChunk && other < ids.IntLength && ids[other] == ids[row];
        ListOfGroup(same, other, masks, list);

        bool first = list[0] == row;
        if (Group.IdxX == 0)
            leadingIds[row] = first ? ids[row] : -1;
        for (int column = first ? Group.IdxX : c; column < c; column += GroupSize)
        {
            float sum = 0;
            for (int i = 0; list[i] >= 0; i += 4)
            {
                float a = dy[list[i] * c + column].ToFloat(), b = list[i + 1] >= 0
                    ? dy[list[i + 1] * c + column].ToFloat() : 0;
                float d = list[i + 2] >= 0 ? dy[list[i + 2] * c + column].ToFloat()
                    : 0, e = list[i + 3] >= 0 ? dy[list[i + 3] * c + column].ToFloat() : 0;
                sum += (a + b) + (d + e);
            }

            sums[row * c + column] = sum;
        }
    }

    // The first of all rows with its id adds up what the leading rows with that id have. Most blocks of rows have none:
    // a thread looks at several rows of a block at once.
    [Kernel(GroupSize)]
    private static void AddChunksKernel(ArrayView<float> sums, ArrayView<int> leadingIds, int c, ArrayView<float> table)
    {
        var masks = SharedMemory.Allocate<int>(GroupSize / 32);
        var list = SharedMemory.Allocate<int>(GroupSize + 4);
        var found = SharedMemory.Allocate<int>(1);
        int row = Grid.IdxX, id = leadingIds[row], rows = leadingIds.IntLength, end = id >= 0 ? rows : 0;
        if (Group.IdxX == 0)
            found[0] = -1;
        Group.Barrier();

        for (int start = 0; start < end; start += RowsOfBlock)
        {
            int other = start + Group.IdxX, last = rows - 1;
            int a = leadingIds[XMath.Min(other, last)], b = leadingIds[XMath.Min(other + GroupSize, last)];
            int d = leadingIds[XMath.Min(other + 2 * GroupSize, last)],
                e = leadingIds[XMath.Min(other + 3 * GroupSize, last)];
            if (a == id || b == id || d == id || e == id)
                found[0] = start; // whoever writes, writes the same
            Group.Barrier();
            for (int next = found[0] == start ? start
                : end; next < start + RowsOfBlock && next < end; next += GroupSize)
            {
                other = next + Group.IdxX;
                ListOfGroup(other < rows && leadingIds[XMath.Min(other, last)] == id, other, masks, list);
                if (list[0] >= 0 && list[0] < row)
                    end = 0; // another row is the first
                for (int column = Group.IdxX; column < c && end > 0; column += GroupSize)
                {
                    float sum = table[id * c + column];
                    for (int i = 0; list[i] >= 0; i += 4)
                    {
                        float v = sums[list[i] * c + column], w = list[i + 1] >= 0 ? sums[list[i + 1] * c + column] : 0;
                        float z = list[i + 2] >= 0 ? sums[list[i + 2] * c + column]
                            : 0, u = list[i + 3] >= 0 ? sums[list[i + 3] * c + column] : 0;
                        sum += (v + w) + (z + u);
                    }

                    table[id * c + column] = sum;
                }

                Group.Barrier(); // the list is overwritten in the next turn
            }

            Group.Barrier(); // all have read what was found
        }
    }

    /// <summary>
    /// Lists the values of the group's threads that are <paramref name="listed"/>, in the threads' order, with -1
    /// behind the last one up to the list's end.
    /// <paramref name="masks"/> has a bit for each thread.
    /// </summary>
    private static void ListOfGroup(bool listed, int value, ArrayView<int> masks, ArrayView<int> list)
    {
        int thread = Group.IdxX, word = thread / 32, bit = 1 << (thread % 32);
        if (thread < GroupSize / 32)
            masks[thread] = 0;
        list[thread] = -1;
        if (thread < 4)
            list[GroupSize + thread] = -1;
        Group.Barrier();
        if (listed)
            Atomic.Or(ref masks[word], bit);
        Group.Barrier();
        if (listed)
        {
            int place = IntrinsicMath.PopCount(masks[word] & (bit - 1));
            for (int i = 0; i < word; i++)
                place += IntrinsicMath.PopCount(masks[i]);
            list[place] = value;
        }

        Group.Barrier();
    }
}
