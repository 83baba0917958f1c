using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

internal static partial class TensorCoreMatMul
{
    /// <summary>
    /// Rows of C that a group of <see cref="AddParts"/> computes, each thread <see cref="EpilogueText.Rows"/>.
    /// </summary>
    internal const int PartRows = 32;

    /// <summary>Its columns, each thread <see cref="EpilogueText.Columns"/>.</summary>
    internal const int PartColumns = 128;

    /// <summary>Threads of its groups.</summary>
    internal const int PartThreads = PartRows / EpilogueText.Rows * (PartColumns / EpilogueText.Columns);

    /// <summary>
    /// Finishes a product whose depth was split: the sum of <paramref name="parts"/> products of single precision, in
    /// order, then what its output says.
    /// </summary>
    [Kernel(PartThreads, ComputeCapability = 80)]
    internal static void AddParts(
        long part, long c, long bias, long addend, long pre, int parts, int rows, int columns, int output)
    {
        const int lanesOfRow = PartColumns / EpilogueText.Columns, rowStep = PartThreads / lanesOfRow;
        int groupColumns = (columns + PartColumns - 1) / PartColumns;
        int row = Grid.IdxX / groupColumns * PartRows + Group.IdxX / lanesOfRow;
        int column = Grid.IdxX % groupColumns * PartColumns + Group.IdxX % lanesOfRow * EpilogueText.Columns;

        PtxText.Emit(EpilogueText.Declare);
        StartEpilogue(c, bias, addend, pre, row, column, rows, columns, rowStep, output);
        ReadOthers(addend, output);
        PtxText.Emit(EpilogueText.Clear);
        CudaAsm.Emit(
            "mov.b64 toPart, %0; mov.b64 stepPart, %1;", part + ((long)row * columns + column) * sizeof(float),
            (long)rowStep * columns * sizeof(float));
        for (int i = 0; i < parts; i++)
        {
            PtxText.Emit(EpilogueText.AddPart);
            CudaAsm.Emit("add.s64 toPart, toPart, %0;", (long)rows * columns * sizeof(float));
        }

        ApplyAndWrite(addend, output);
    }

    // Stores the warp's sums to its part of shared memory, then goes through its rows, each lane with eight columns.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<TTile>(
        int shared, int lane, int firstRow, int firstColumn, long c, long bias, long addend, long pre, int rows,
        int columns, int output)
        where TTile : struct, IMatMulTile
    {
        TTile tile = default;
        int lanesOfRow = tile.WarpColumns / EpilogueText.Columns, rowStep = 32 / lanesOfRow;
        int row = lane / lanesOfRow, column = lane % lanesOfRow * EpilogueText.Columns;

        SetPlace(shared + SharedTile.SumOffset(tile.WarpColumns, SharedTile.SumRow(lane), SharedTile.SumColumn(lane)));
        PtxText.Emit(Sums<TTile>.Store);
        SetPlace(shared + SharedTile.SumOffset(tile.WarpColumns, row, column));
        PtxText.Emit(EpilogueText.Declare);
        StartEpilogue(c, bias, addend, pre, firstRow + row, firstColumn + column, rows, columns, rowStep, output);
        for (int done = 0; done < tile.WarpRows; done += EpilogueText.Rows * rowStep)
        {
            ReadOthers(addend, output);
            PtxText.Emit(Sums<TTile>.Load);
            ApplyAndWrite(addend, output);
            PtxText.Emit(EpilogueText.NextRows);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetPlace(int place) => CudaAsm.Emit("add.u32 place, shared, %0;", place);

    // Turns to the lane's first row and its columns of C; columns beyond the last leave it no rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartEpilogue(
        long c, long bias, long addend, long pre, int row, int column, int rows, int columns, int rowStep, int output)
    {
        long element = (long)row * columns + column, step = (long)rowStep * columns,
            size = (output & (int)MatMulOutput.F32) != 0 ? 4 : 2;
        CudaAsm.Emit(
            "mov.b64 toC, %0; mov.b64 toAddend, %1; mov.b64 toPre, %2; mov.b64 stepC, %3; mov.b64 stepPre, %4; "
            + "mov.b32 left, %5; mov.b32 rowStep, %6;",
            c + element * size, addend + element * size, pre + element * 2, step * size, step * 2, column < columns
            ? rows - row : 0, rowStep);
        PtxText.Emit(EpilogueText.ClearBias);
        if (bias == 0 || column >= columns)
            return;
        CudaAsm.Emit("mov.b64 to, %0;", bias + column * (long)sizeof(float));
        PtxText.Emit(EpilogueText.ReadBias);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ReadOthers(long addend, int output)
    {
        PtxText.Emit(EpilogueText.FindRows);
        if ((output & (int)MatMulOutput.GeluSlope) != 0)
            PtxText.Emit(EpilogueText.ReadPre);
        if (addend == 0)
            return;
        if ((output & (int)MatMulOutput.F32) != 0)
            PtxText.Emit(EpilogueText.ReadAddendF32);
        else
            PtxText.Emit(EpilogueText.ReadAddendBf16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ApplyAndWrite(long addend, int output)
    {
        PtxText.Emit(EpilogueText.AddBias);
        if ((output & (int)MatMulOutput.Gelu) != 0)
        {
            PtxText.Emit(EpilogueText.WritePre);
            PtxText.Emit(EpilogueText.Gelu);
        }

        if ((output & (int)MatMulOutput.GeluSlope) != 0)
            PtxText.Emit(EpilogueText.MultiplyGeluSlope);
        if ((output & (int)MatMulOutput.F32) != 0)
        {
            if (addend != 0)
                PtxText.Emit(EpilogueText.AddF32);
            PtxText.Emit(EpilogueText.WriteF32);
        }
        else
        {
            if (addend != 0)
                PtxText.Emit(EpilogueText.AddBf16);
            PtxText.Emit(EpilogueText.WriteBf16);
        }
    }

    private static class Sums<TTile>
        where TTile : struct, IMatMulTile
    {
        private static readonly SumsText text = new(default(TTile).WarpRows, default(TTile).WarpColumns);

        public static readonly int Store = text.Store();
        public static readonly int Load = text.Load();
    }
}
