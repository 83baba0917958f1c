using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>The products on the tensor cores of compute capability 9.0, by instructions of warpgroups (<c>wgmma</c>).</summary>
internal static partial class TensorCoreMatMul
{
    private const int SharedWarpgroup128x256 = 4 * (128 + 256) * SharedTile.LineBytes + MatMulShape.SharedAlignment;
    private const int SharedWarpgroup128x128 = 3 * (128 + 128) * SharedTile.LineBytes + MatMulShape.SharedAlignment;

    [Kernel(256, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x256)]
    internal static void WarpgroupForward128x256(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart, int output) =>
        MultiplyByWarpgroups<WarpgroupTile128x256, KMajor, KMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(256, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x128)]
    internal static void WarpgroupForward128x128(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart, int output) =>
        MultiplyByWarpgroups<WarpgroupTile128x128, KMajor, KMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(256, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x256)]
    internal static void WarpgroupBackwardInput128x256(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart, int output) =>
        MultiplyByWarpgroups<WarpgroupTile128x256, KMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(256, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x128)]
    internal static void WarpgroupBackwardInput128x128(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart, int output) =>
        MultiplyByWarpgroups<WarpgroupTile128x128, KMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(256, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x256)]
    internal static void WarpgroupBackwardWeight128x256(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart, int output) =>
        MultiplyByWarpgroups<WarpgroupTile128x256, MnMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(256, Hot = true, ComputeCapability = 90, DynamicSharedBytes = SharedWarpgroup128x128)]
    internal static void WarpgroupBackwardWeight128x128(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart, int output) =>
        MultiplyByWarpgroups<WarpgroupTile128x128, MnMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyByWarpgroups<TTile, TA, TB>(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart, int output)
        where TTile : struct, IMatMulTile
        where TA : struct, IMatMulLayout
        where TB : struct, IMatMulLayout
    {
        TTile tile = default;
        int tileRows = (rows + tile.Rows - 1) / tile.Rows, tileColumns = (columns + tile.Columns - 1) / tile.Columns;
        int firstRow = MatMulShape.TileRow(Grid.IdxX, tileRows, tileColumns) * tile.Rows;
        int firstColumn = MatMulShape.TileColumn(Grid.IdxX, tileRows, tileColumns) * tile.Columns;
        int firstDepth = Grid.IdxY * depthOfPart, endDepth = Math.Min(firstDepth + depthOfPart, depth);
        int warp = Group.IdxX / 32;

        SharedMemory.GetDynamic<int>(); // declares __dyn_shared_alloca
        PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.Declare);
        StartCopies<TTile, TA, TB>(a, b, rows, columns, depth, firstRow, firstColumn, firstDepth, endDepth);
        int stageBytes = (tile.Rows + tile.Columns) * SharedTile.LineBytes;
        CudaAsm.Emit(
            "add.u32 write, shared, %0; add.u32 writeEnd, write, %1; shr.u32 readA, shared, 4; add.u32 readB, readA, %3; add.u32 readA, readA, %2; add.u32 readEnd, readA, %4;",
            SharedTile.Offset(Group.IdxX / SharedTile.LineChunks, Group.IdxX % SharedTile.LineChunks), tile.Stages * stageBytes,
            SharedTile.DescriptorLow(default(TA).KMajor, warp / 4 * 64 * SharedTile.LineBytes),
            SharedTile.DescriptorLow(default(TB).KMajor, tile.Rows * SharedTile.LineBytes), SharedTile.DescriptorStep(tile.Stages * stageBytes));

        for (int stage = 2; stage < tile.Stages; stage++)
            PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.Copy);
        for (int k = firstDepth; k < endDepth; k += SharedTile.Depth)
            PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.Multiply);
        PtxText.Emit(WarpgroupTexts<TTile, TA, TB>.Finish);

        // The sums leave through the memory of the tiles: all copies must have arrived and all products must be done.
        CudaAsm.Emit("cp.async.wait_all;");
        Group.Barrier();
        FinishWarpgroup<TTile>(
            warp, firstRow + warp * tile.WarpRows, firstColumn, c + (long)Grid.IdxY * rows * columns * sizeof(float), bias, addend, pre, rows, columns, output);
    }

    private static class WarpgroupTexts<TTile, TA, TB>
        where TTile : struct, IMatMulTile
        where TA : struct, IMatMulLayout
        where TB : struct, IMatMulLayout
    {
        private static readonly WarpgroupText text = new(default(TTile), default(TA).KMajor, default(TB).KMajor);

        public static readonly int Declare = text.Declare();
        public static readonly int Copy = text.Copy();
        public static readonly int Multiply = text.Multiply();
        public static readonly int Finish = WarpgroupText.Finish();
    }
}
