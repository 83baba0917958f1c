using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Products of bf16 matrices on NVIDIA's tensor cores, compute capability 8.0 and up: C = A B with single-precision
/// sums, C (rows, columns), for A and B of any layout. <see cref="MatMulPlan"/> says which kernel takes a product, and
/// how it is launched.
/// </summary>
/// <remarks>
/// All kernels have the same parameters: addresses of A, B, C, the bias, the addend and the pre-activations (0 for none
/// of the last three); rows, columns and depth; how much of the depth a group takes, the second dimension of the grid
/// counting such parts; and <see cref="MatMulOutput"/>.
/// </remarks>
internal static partial class TensorCoreMatMul
{
    private const int Shared128x256 = 3 * (128 + 256) * SharedTile.LineBytes + MatMulShape.SharedAlignment;
    private const int Shared128x128 = 3 * (128 + 128) * SharedTile.LineBytes + MatMulShape.SharedAlignment;
    private const int Shared64x64 = 3 * (64 + 64) * SharedTile.LineBytes + MatMulShape.SharedAlignment;

    [Kernel(256, Hot = true, ComputeCapability = 80, DynamicSharedBytes = Shared128x256)]
    internal static void Forward128x256(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output) =>
        Multiply<Tile128x256, KMajor, KMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(128, Hot = true, ComputeCapability = 80, DynamicSharedBytes = Shared128x128)]
    internal static void Forward128x128(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output) =>
        Multiply<Tile128x128, KMajor, KMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(128, Hot = true, ComputeCapability = 80, DynamicSharedBytes = Shared64x64)]
    internal static void Forward64x64(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output) =>
            Multiply<Tile64x64, KMajor, KMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(256, Hot = true, ComputeCapability = 80, DynamicSharedBytes = Shared128x256)]
    internal static void BackwardInput128x256(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output) =>
        Multiply<Tile128x256, KMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(128, Hot = true, ComputeCapability = 80, DynamicSharedBytes = Shared128x128)]
    internal static void BackwardInput128x128(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output) =>
        Multiply<Tile128x128, KMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(128, Hot = true, ComputeCapability = 80, DynamicSharedBytes = Shared64x64)]
    internal static void BackwardInput64x64(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output) =>
            Multiply<Tile64x64, KMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(256, Hot = true, ComputeCapability = 80, DynamicSharedBytes = Shared128x256)]
    internal static void BackwardWeight128x256(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output) =>
        Multiply<Tile128x256, MnMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(128, Hot = true, ComputeCapability = 80, DynamicSharedBytes = Shared128x128)]
    internal static void BackwardWeight128x128(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output) =>
        Multiply<Tile128x128, MnMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [Kernel(128, Hot = true, ComputeCapability = 80, DynamicSharedBytes = Shared64x64)]
    internal static void BackwardWeight64x64(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output) =>
        Multiply<Tile64x64, MnMajor, MnMajor>(a, b, c, bias, addend, pre, rows, columns, depth, depthOfPart, output);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<TTile, TA, TB>(
        long a, long b, long c, long bias, long addend, long pre, int rows, int columns, int depth, int depthOfPart,
        int output)
        where TTile : struct, IMatMulTile
        where TA : struct, IMatMulLayout
        where TB : struct, IMatMulLayout
    {
        TTile tile = default;
        TilePlace place =
            TilePlace.Of(Grid.IdxX, Grid.IdxY, tile.Rows, tile.Columns, rows, columns, depth, depthOfPart);
        int lane = Group.IdxX % 32, warp = Group.IdxX / 32;
        int warpRow = warp % (tile.Rows / tile.WarpRows) * tile.WarpRows,
            warpColumn = warp / (tile.Rows / tile.WarpRows) * tile.WarpColumns;

        SharedMemory.GetDynamic<int>(); // declares __dyn_shared_alloca
        PtxText.Emit(Text<TTile, TA, TB>.Declare);
        StartCopies<TTile, TA, TB>(a, b, rows, columns, depth, place);
        StartStages(
            SharedTile.Offset(Group.IdxX / SharedTile.LineChunks, Group.IdxX % SharedTile.LineChunks),
            SharedTile.FragmentOffset(default(TA).KMajor, false, warpRow, lane),
            SharedTile.FragmentOffset(default(TB).KMajor, true, warpColumn, lane) + tile.Rows * SharedTile.LineBytes,
            tile.Stages * (tile.Rows + tile.Columns) * SharedTile.LineBytes);
        for (int stage = 1; stage < tile.Stages; stage++)
            PtxText.Emit(Text<TTile, TA, TB>.Copy);
        PtxText.Emit(Text<TTile, TA, TB>.Start);
        for (int k = place.Depth; k < place.EndDepth; k += SharedTile.Depth)
            PtxText.Emit(Text<TTile, TA, TB>.Multiply);

        // The sums leave through the memory of the tiles: all copies must have arrived and all warps must have read.
        CudaAsm.Emit("cp.async.wait_all;");
        Group.Barrier();
        Finish<TTile>(
            warp * (tile.WarpRows * tile.WarpColumns * sizeof(float)), lane, place.Row + warpRow,
            place.Column + warpColumn,
            c + (long)Grid.IdxY * rows * columns * sizeof(float), bias, addend, pre, rows, columns, output);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartCopies<TTile, TA, TB>(long a, long b, int rows, int columns, int depth, TilePlace place)
        where TTile : struct, IMatMulTile
        where TA : struct, IMatMulLayout
        where TB : struct, IMatMulLayout
    {
        TTile tile = default;
        int linesOfPass = tile.Rows / tile.WarpRows * (tile.Columns / tile.WarpColumns) * 32 / SharedTile.LineChunks;
        TileCopy copyA = default(TA).KMajor
            ? TileCopy.KMajor(a, rows, depth, place.Row, place.Depth, place.EndDepth, Group.IdxX, linesOfPass)
            : TileCopy.MnMajor(a, rows, place.Row, place.Depth, place.EndDepth, Group.IdxX, linesOfPass);
        TileCopy copyB = default(TB).KMajor
            ? TileCopy.KMajor(b, columns, depth, place.Column, place.Depth, place.EndDepth, Group.IdxX, linesOfPass)
            : TileCopy.MnMajor(b, columns, place.Column, place.Depth, place.EndDepth, Group.IdxX, linesOfPass);
        CudaAsm.Emit(
            "mov.b64 globalA, %0; mov.b64 lineStepA, %1; mov.b64 tileStepA, %2; "
            + "mov.b32 extentA, %3; mov.b32 depthA, %4;",
            copyA.Address, copyA.LineStep, copyA.TileStep, copyA.Extent, copyA.Depth);
        CudaAsm.Emit(
            "mov.b64 globalB, %0; mov.b64 lineStepB, %1; mov.b64 tileStepB, %2; "
            + "mov.b32 extentB, %3; mov.b32 depthB, %4;",
            copyB.Address, copyB.LineStep, copyB.TileStep, copyB.Extent, copyB.Depth);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartStages(int write, int readA, int readB, int ringBytes) => CudaAsm.Emit(
        "add.u32 write, shared, %0; add.u32 readA, shared, %1; add.u32 readB, shared, %2; add.u32 writeEnd, write, "
        + "%3; add.u32 readEnd, readA, %3;",
        write, readA, readB, ringBytes);

    private static class Text<TTile, TA, TB>
        where TTile : struct, IMatMulTile
        where TA : struct, IMatMulLayout
        where TB : struct, IMatMulLayout
    {
        private static readonly MatMulText text = new(default(TTile), default(TA).KMajor, default(TB).KMajor);

        public static readonly int Declare = text.Declare();
        public static readonly int Copy = text.Copy();
        public static readonly int Start = text.Start();
        public static readonly int Multiply = text.Multiply();
    }
}
