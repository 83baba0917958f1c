using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

// Compute capability 9.0: products by instructions of warpgroups (wgmma), operands by the copy engine. A group
// computes one tile after the other; while its sums are being stored, the tiles of the next product are on their way
// already.
internal static partial class TensorCoreMatMul
{
    private const int WarpgroupThreads = 3 * 128; // the last warpgroup copies
    private const int SharedWarpgroup128x256 = 4 * ((128 + 256) * SharedTile.LineBytes + WarpgroupText.BarrierBytes)
        + 8 * MatMulShape.SumsBytes + MatMulShape.SharedAlignment;
    private const int SharedWarpgroup128x128 = 6 * ((128 + 128) * SharedTile.LineBytes + WarpgroupText.BarrierBytes)
        + 8 * MatMulShape.SumsBytes + MatMulShape.SharedAlignment;

    [Kernel(WarpgroupThreads, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x256)]
    internal static void WarpgroupForward128x256(
        TensorMap mapA, TensorMap mapB, long c, long bias, long addend, long pre, int rows, int columns, int depth,
        int depthOfPart, int output) =>
            MultiplyByWarpgroups<WarpgroupTile128x256, KMajor, KMajor>(
                c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(WarpgroupThreads, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x128)]
    internal static void WarpgroupForward128x128(
        TensorMap mapA, TensorMap mapB, long c, long bias, long addend, long pre, int rows, int columns, int depth,
        int depthOfPart, int output) =>
            MultiplyByWarpgroups<WarpgroupTile128x128, KMajor, KMajor>(
                c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(WarpgroupThreads, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x256)]
    internal static void WarpgroupBackwardInput128x256(
        TensorMap mapA, TensorMap mapB, long c, long bias, long addend, long pre, int rows, int columns, int depth,
        int depthOfPart, int output) =>
            MultiplyByWarpgroups<WarpgroupTile128x256, KMajor, MnMajor>(
                c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(WarpgroupThreads, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x128)]
    internal static void WarpgroupBackwardInput128x128(
        TensorMap mapA, TensorMap mapB, long c, long bias, long addend, long pre, int rows, int columns, int depth,
        int depthOfPart, int output) =>
            MultiplyByWarpgroups<WarpgroupTile128x128, KMajor, MnMajor>(
                c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(WarpgroupThreads, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x256)]
    internal static void WarpgroupBackwardWeight128x256(
        TensorMap mapA, TensorMap mapB, long c, long bias, long addend, long pre, int rows, int columns, int depth,
        int depthOfPart, int output) =>
            MultiplyByWarpgroups<WarpgroupTile128x256, MnMajor, MnMajor>(
                c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(WarpgroupThreads, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x128)]
    internal static void WarpgroupBackwardWeight128x128(
        TensorMap mapA, TensorMap mapB, long c, long bias, long addend, long pre, int rows, int columns, int depth,
        int depthOfPart, int output) =>
            MultiplyByWarpgroups<WarpgroupTile128x128, MnMajor, MnMajor>(
                c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyByWarpgroups<TTile, TA, TB>(
        long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart, int output)
        where TTile : struct, IMatMulTile
        where TA : struct, IMatMulLayout
        where TB : struct, IMatMulLayout
    {
        TTile tile = default;
        int warps = tile.Rows / tile.WarpRows,
            ringBytes = tile.Stages * (tile.Rows + tile.Columns) * SharedTile.LineBytes;
        int tiles = (rows + tile.Rows - 1) / tile.Rows * ((columns + tile.Columns - 1) / tile.Columns),
            parts = (depth + depthOfPart - 1) / depthOfPart;

        SharedMemory.GetDynamic<int>(); // declares __dyn_shared_alloca
        PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.Declare);
        PtxText.Emit(EpilogueText.Declare);
        CudaAsm.Emit(
            "add.u32 barrier, shared, %0; add.u32 barrierEnd, barrier, %1;", ringBytes + warps * MatMulShape.SumsBytes,
            tile.Stages * WarpgroupText.BarrierBytes);
        if (Group.IdxX == 0)
            PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.StartBarriers);
        Group.Barrier();

        if (Group.IdxX >= warps * 32)
        {
            CudaAsm.Emit("setmaxnreg.dec.sync.aligned.u32 40;");
            if (Group.IdxX == warps * 32)
                CopyTiles<TTile, TA, TB>(tiles, parts, rows, columns, depth, depthOfPart);
        }
        else
        {
            CudaAsm.Emit("setmaxnreg.inc.sync.aligned.u32 232;");
            StartReading<TTile, TA, TB>();
            for (int work = Grid.IdxX; work < tiles * parts; work += Grid.DimX)
            {
                TilePlace place = TilePlace.Of(
                    work % tiles, work / tiles, tile.Rows, tile.Columns, rows, columns, depth, depthOfPart);
                PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.MultiplyFirst);
                for (int k = place.Depth + SharedTile.Depth; k < place.EndDepth; k += SharedTile.Depth)
                    PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.MultiplyNext);
                PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.Finish);
                FinishTile<TTile>(
                    ringBytes, place, c + (long)(work / tiles) * rows * columns * sizeof(float), bias, addend, pre,
                    rows, columns, output);
            }
        }
    }

    // One thread asks for all tiles of all products of the group, as their places become free.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyTiles<TTile, TA, TB>(
        int tiles, int parts, int rows, int columns, int depth, int depthOfPart)
        where TTile : struct, IMatMulTile
        where TA : struct, IMatMulLayout
        where TB : struct, IMatMulLayout
    {
        TTile tile = default;
        CudaAsm.Emit("mov.b32 write, shared; cvta.param.u64 mapA, param_mapA; cvta.param.u64 mapB, param_mapB;");
        for (int work = Grid.IdxX; work < tiles * parts; work += Grid.DimX)
        {
            TilePlace place =
                TilePlace.Of(work % tiles, work / tiles, tile.Rows, tile.Columns, rows, columns, depth, depthOfPart);
            CudaAsm.Emit(
                "mov.b32 rowA, %0; mov.b32 rowB, %1; mov.b32 depth, %2;", place.Row, place.Column, place.Depth);
            for (int k = place.Depth; k < place.EndDepth; k += SharedTile.Depth)
                PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.Copy);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartReading<TTile, TA, TB>()
        where TTile : struct, IMatMulTile
        where TA : struct, IMatMulLayout
        where TB : struct, IMatMulLayout
    {
        int rowsOfA = Group.IdxX / 128 * 64;
        CudaAsm.Emit(
            "shr.u32 low, shared, 4; add.u32 readA, low, %0; add.u32 readB, low, %1; setp.eq.u32 isFirst, %2, 0;",
            SharedTile.DescriptorLow(default(TA).KMajor, rowsOfA * SharedTile.LineBytes),
            SharedTile.DescriptorLow(default(TB).KMajor, default(TTile).Rows * SharedTile.LineBytes), Group.IdxX % 32);
    }

    // 64 columns of a warp's 16 rows after the other leave through its share of shared memory.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FinishTile<TTile>(
        int sums, TilePlace place, long c, long bias, long addend, long pre, int rows, int columns, int output)
        where TTile : struct, IMatMulTile
    {
        TTile tile = default;
        const int lanesOfRow = MatMulShape.SumsColumns / EpilogueText.Columns, rowStep = 32 / lanesOfRow;
        int lane = Group.IdxX % 32, warp = Group.IdxX / 32, shared = sums + warp * MatMulShape.SumsBytes;
        int row = lane / lanesOfRow, column = lane % lanesOfRow * EpilogueText.Columns;

        for (int further = 0; further < tile.WarpColumns; further += MatMulShape.SumsColumns)
        {
            SetPlace(shared
                + SharedTile.SumOffset(MatMulShape.SumsColumns, SharedTile.SumRow(lane), SharedTile.SumColumn(lane)));
            StoreSums<TTile>(further / MatMulShape.SumsColumns);
            SetPlace(shared + SharedTile.SumOffset(MatMulShape.SumsColumns, row, column));
            StartEpilogue(
                c, bias, addend, pre, place.Row + warp * tile.WarpRows + row, place.Column + further + column, rows,
                columns, rowStep, output);
            ReadOthers(addend, output);
            PtxText.Emit(WarpgroupSums<TTile>.Load);
            ApplyAndWrite(addend, output);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreSums<TTile>(int quarter)
        where TTile : struct, IMatMulTile
    {
        if (quarter == 0)
            PtxText.Emit(WarpgroupSums<TTile>.Store0);
        else if (quarter == 1)
            PtxText.Emit(WarpgroupSums<TTile>.Store1);
        else if (quarter == 2)
            PtxText.Emit(WarpgroupSums<TTile>.Store2);
        else
            PtxText.Emit(WarpgroupSums<TTile>.Store3);
    }

    private static class WarpgroupTexts<TTile, TA, TB>
        where TTile : struct, IMatMulTile
        where TA : struct, IMatMulLayout
        where TB : struct, IMatMulLayout
    {
        private static readonly WarpgroupText text = new(default(TTile), default(TA).KMajor, default(TB).KMajor);

        public static readonly int Declare = text.Declare();
        public static readonly int StartBarriers = text.StartBarriers();
        public static readonly int Copy = text.Copy();
        public static readonly int MultiplyFirst = text.Multiply(isFirst: true);
        public static readonly int MultiplyNext = text.Multiply(isFirst: false);
        public static readonly int Finish = WarpgroupText.Finish();
    }

    // The sums of 64 columns after the other; a tile of 128 columns has two of them.
    private static class WarpgroupSums<TTile>
        where TTile : struct, IMatMulTile
    {
        private static readonly SumsText text = new(default(TTile).WarpRows, MatMulShape.SumsColumns);
        private static readonly int sums = default(TTile).WarpRows * MatMulShape.SumsColumns / 32;
        private static readonly int last = default(TTile).WarpColumns / MatMulShape.SumsColumns - 1;

        public static readonly int Store0 = text.Store(0);
        public static readonly int Store1 = text.Store(sums);
        public static readonly int Store2 = text.Store(sums * Math.Min(2, last));
        public static readonly int Store3 = text.Store(sums * Math.Min(3, last));
        public static readonly int Load = text.Load();
    }
}
