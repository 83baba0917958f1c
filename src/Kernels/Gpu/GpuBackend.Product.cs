using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The product of two matrices of any layout, on every device: each group of threads makes a tile of the result, each
/// thread 4 x 4 elements of it.
/// </summary>
internal sealed partial class GpuBackend
{
    // A tile of the result is TileLines x TileLines; its operands' tiles, TileDepth deep, lie in shared memory depth by
    // depth. The padding spreads over the banks what threads write that read a matrix along its depth.
    private const int TileLines = 64, TileDepth = 16, PerThread = 4, ThreadsOfLine = TileLines / PerThread,
        TileStride = TileLines + PerThread, LineStride = TileStride / PerThread;

    // How far apart the elements are that a thread brings: lines where it reads along the depth, else depth.
    private const int LinesApart = GroupSize / TileDepth, DepthApart = GroupSize / TileLines;

    // The depth is cut into parts where a product has fewer tiles than a large device runs at once; a part should be
    // worth the extra trip to memory.
    private const int WantedGroups = 512, SmallestPart = 256;

    /// <summary>
    /// C (M, N) = A (M, K) B (K, N) + bias, or C += where <paramref name="accumulate"/>. C is contiguous; the bias has
    /// N elements or none.
    /// </summary>
    private void Multiply<T,
        TC>(int m, int n, int k,
            ArrayView<T> a, OperandLayout layoutA, ArrayView<T> b, OperandLayout layoutB, ArrayView<float> bias,
            ArrayView<TC> c, bool accumulate) where T : unmanaged, IElement<T> where TC : unmanaged, IElement<TC>
    {
        if (TryTensorCores(m, n, k, a, layoutA, b, layoutB, bias, c, accumulate))
            return;
        int depthOfPart = DepthOfPart(m, n, k), parts = Math.Max(Items(k, depthOfPart), 1);
        var size = new ProductSize(m, n, k, depthOfPart);
        var config = new KernelConfig(
            new Index3D(Items(n, TileLines), Items(m, TileLines), parts), new Index3D(GroupSize, 1, 1));
        if (parts == 1)
        {
            Launch(config, ProductKernel, a, layoutA, b, layoutB, bias, c, size, accumulate ? 1 : 0);
            return;
        }

        var partials = Scratch<Float32>(ScratchPartials, (long)parts * m * n);
        Launch(config, ProductKernel, a, layoutA, b, layoutB, ArrayView<float>.Empty, partials, size, 0);
        Launch(Each((long)m * n), AddPartsKernel, partials, parts, bias, n, c, accumulate ? 1 : 0);
    }

    private static int DepthOfPart(int m, int n, int k)
    {
        int tiles = Math.Max(Items(m, TileLines) * Items(n, TileLines), 1);
        int parts = Math.Clamp(WantedGroups / tiles, 1, Math.Max(k / SmallestPart, 1));
        return Math.Max(Items(Items(k, parts), TileDepth), 1) * TileDepth;
    }

    [Kernel(GroupSize, Hot = true)]
    private static void ProductKernel<T,
        TC>(ArrayView<T> a, OperandLayout layoutA, ArrayView<T> b, OperandLayout layoutB, ArrayView<float> bias,
            ArrayView<TC> c,
            ProductSize size, int accumulate) where T : unmanaged, IElement<T> where TC : unmanaged, IElement<TC>
    {
        var tileA = SharedMemory.Allocate<float>(TileDepth * TileStride);
        var tileB = SharedMemory.Allocate<float>(TileDepth * TileStride);
        var linesA = tileA.AsAligned(16).Cast<Float4>();
        var linesB = tileB.AsAligned(16).Cast<Float4>();
        int firstRow = Grid.IdxY * TileLines, firstColumn = Grid.IdxX * TileLines;
        int row = Group.IdxX / ThreadsOfLine, column = Group.IdxX % ThreadsOfLine;
        int start = Grid.IdxZ * size.DepthOfPart, end = XMath.Min(start + size.DepthOfPart, size.K);

        var shareA = new TileShare(layoutA, firstRow, size.M);
        var shareB = new TileShare(layoutB, firstColumn, size.N);
        Float4x4 sums = default;
        Float4 nextA = ReadTile(a, shareA, start, end), nextB = ReadTile(b, shareB, start, end);
        for (int depth = start; depth < end; depth += TileDepth)
        {
            WriteTile(tileA, shareA, nextA);
            WriteTile(tileB, shareB, nextB);
            Group.Barrier();

            // The next tiles are on their way while these are multiplied.
            nextA = ReadTile(a, shareA, depth + TileDepth, end);
            nextB = ReadTile(b, shareB, depth + TileDepth, end);
            for (int i = 0; i < TileDepth * LineStride; i += 4 * LineStride)
            {
                // Views, so that the four places differ by constants.
                var x = linesA.SubView(i + row, 3 * LineStride + 1);
                var y = linesB.SubView(i + column, 3 * LineStride + 1);
                sums = sums.PlusProduct(x[0], y[0]);
                sums = sums.PlusProduct(x[LineStride], y[LineStride]);
                sums = sums.PlusProduct(x[2 * LineStride], y[2 * LineStride]);
                sums = sums.PlusProduct(x[3 * LineStride], y[3 * LineStride]);
            }

            Group.Barrier(); // the tiles are overwritten in the next turn
        }

        var part = c.SubView(Grid.IdxZ * size.M * size.N, size.M * size.N);
        int top = firstRow + row * PerThread, left = firstColumn + column * PerThread;
        StoreLine(part, size, top, left, sums.X, bias, accumulate);
        StoreLine(part, size, top + 1, left, sums.Y, bias, accumulate);
        StoreLine(part, size, top + 2, left, sums.Z, bias, accumulate);
        StoreLine(part, size, top + 3, left, sums.W, bias, accumulate);
    }

    /// <summary>
    /// The four elements of an operand's tiles that a thread brings. Neighbouring threads have neighbouring elements in
    /// memory, along the lines or along the depth, whichever is contiguous; a thread's elements are some lines apart,
    /// or some depth.
    /// </summary>
    private readonly struct TileShare
    {
        private readonly int depth, lines, depthStep;

        public TileShare(OperandLayout layout, int firstLine, int endLine)
        {
            bool alongDepth = layout.DepthStride == 1;
            int line = alongDepth ? Group.IdxX / TileDepth : Group.IdxX % TileLines, lineStep = alongDepth ? LinesApart
                : 0;
            depth = alongDepth ? Group.IdxX % TileDepth : Group.IdxX / TileLines;
            depthStep = alongDepth ? 0 : DepthApart;

            int linesLeft = endLine - firstLine - line;
            lines = alongDepth ? (linesLeft + LinesApart - 1) / LinesApart : linesLeft > 0 ? PerThread : 0;
            DepthStride = layout.DepthStride;
            Place = (firstLine + line) * layout.LineStride + depth * DepthStride;
            Step = lineStep * layout.LineStride + depthStep * DepthStride;
            TilePlace = depth * TileStride + line;
            TileStep = depthStep * TileStride + lineStep;
        }

        public int DepthStride { get; }

        /// <summary>Place of the first element in the operand, at depth 0, and the distance between the four.</summary>
        public int Place { get; }

        public int Step { get; }

        /// <summary>The same in the tile.</summary>
        public int TilePlace { get; }

        public int TileStep { get; }

        /// <summary>How many of the four lie within the operand, in a tile with so much depth left.</summary>
        public int Count(int depthLeft) =>
            XMath.Min(lines, depthStep == 0 ? (depthLeft > depth ? PerThread : 0)
            : (depthLeft - depth + DepthApart - 1) / DepthApart);
    }

    private static Float4 ReadTile<T>(ArrayView<T> x, TileShare share, int depth, int endDepth)
        where T : unmanaged, IElement<T>
    {
        int count = share.Count(endDepth - depth), place = share.Place + depth * share.DepthStride;
        return new Float4(
            count > 0 ? x[place].ToFloat() : 0,
            count > 1 ? x[place + share.Step].ToFloat() : 0,
            count > 2 ? x[place + 2 * share.Step].ToFloat() : 0,
            count > 3 ? x[place + 3 * share.Step].ToFloat() : 0);
    }

    private static void WriteTile(ArrayView<float> tile, TileShare share, Float4 elements)
    {
        tile[share.TilePlace] = elements.X;
        tile[share.TilePlace + share.TileStep] = elements.Y;
        tile[share.TilePlace + 2 * share.TileStep] = elements.Z;
        tile[share.TilePlace + 3 * share.TileStep] = elements.W;
    }

    private static void StoreLine<TC>(
        ArrayView<TC> c, ProductSize size, int row, int column, Float4 sums, ArrayView<float> bias, int accumulate)
        where TC : unmanaged, IElement<TC>
    {
        Store(c, size, row, column, sums.X, bias, accumulate);
        Store(c, size, row, column + 1, sums.Y, bias, accumulate);
        Store(c, size, row, column + 2, sums.Z, bias, accumulate);
        Store(c, size, row, column + 3, sums.W, bias, accumulate);
    }

    private static void Store<TC>(
        ArrayView<TC> c, ProductSize size, int row, int column, float sum, ArrayView<float> bias, int accumulate)
        where TC : unmanaged, IElement<TC>
    {
        if (row < size.M && column < size.N)
            Finish(c, row * size.N + column, sum, bias, column, accumulate);
    }

    /// <summary>What comes after an element's sum: the bias, what was there before, and one rounding.</summary>
    private static void Finish<TC>(ArrayView<TC> c, int place, float sum, ArrayView<float> bias, int column,
        int accumulate) where TC : unmanaged, IElement<TC>
    {
        if (bias.IntLength > 0)
            sum += bias[column];
        if (accumulate != 0)
            sum += c[place].ToFloat();
        c[place] = default(TC).From(sum);
    }

    // The parts of a product's depth, in order.
    [Kernel(GroupSize)]
    private static void AddPartsKernel<TC>(
        ArrayView<Float32> partials, int parts, ArrayView<float> bias, int n, ArrayView<TC> c, int accumulate)
        where TC : unmanaged, IElement<TC>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX, count = partials.IntLength / parts;
        if (i >= count)
            return;
        float sum = 0;
        for (int part = 0; part < parts; part++)
            sum += partials[part * count + i].ToFloat();
        Finish(c, i, sum, bias, i % n, accumulate);
    }
}
