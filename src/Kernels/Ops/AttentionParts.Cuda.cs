using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

// What the kernels share: a thread's places, given to the registers that AttentionText names.
internal static partial class TensorCoreAttention
{
    private static int Lane => Group.IdxX & 31;

    private static int Warp => Group.IdxX >> 5;

    // The copies of the group's rows, tokens from `first` up to `end` of a head, to `place` in shared memory.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartRows(long head, int tokenStride, int first, int end, int headSize, int place)
    {
        int line = Group.IdxX >> 3, chunk = Group.IdxX & 7, left = end - first - line;
        CudaAsm.Emit(
            "mov.b64 address, %0; mov.b64 step, %1; add.u32 write, shared, %2; mov.b32 limit0, %3; mov.b32 limit1, %4;",
            ChunkAddress(head, tokenStride, first + line, chunk), 32L * tokenStride, place + SharedTile.Offset(line, chunk),
            Limit(left, chunk, headSize), Limit(left, chunk + SharedTile.LineChunks, headSize));
    }

    // The copies of the columns of both operands, from token `first` up to `end`.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartColumns(in DeviceHeads a, in DeviceHeads b, int batch, int head, int first, int end, int headSize)
    {
        int line = Group.IdxX >> 3, chunk = Group.IdxX & 7, left = end - first - line;
        CudaAsm.Emit(
            "mov.b64 fromA, %0; mov.b32 strideA, %1; mov.b64 fromB, %2; mov.b32 strideB, %3; mov.b32 limit0, %4; mov.b32 limit1, %5;",
            ChunkAddress(a.At(batch, head), a.TokenStride, first + line, chunk), a.TokenStride,
            ChunkAddress(b.At(batch, head), b.TokenStride, first + line, chunk), b.TokenStride,
            Limit(left, chunk, headSize), Limit(left, chunk + SharedTile.LineChunks, headSize));
    }

    // The two places of tiles of columns, from `place` on, `bytes` each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartStages(int warpRow, int place, int bytes) => CudaAsm.Emit(
        "add.u32 rows, shared, %0; add.u32 direct, shared, %1; add.u32 turned, shared, %2; add.u32 write, shared, %3; mov.b32 stage, %4;",
        SharedTile.FragmentOffset(true, false, warpRow, Lane), place + SharedTile.FragmentOffset(true, true, 0, Lane), place + SharedTile.FragmentOffset(false, true, 0, Lane),
        place + SharedTile.Offset(Group.IdxX >> 3, Group.IdxX & 7), bytes);

    // The lane's rows' numbers, of the queries from `warpQuery` on.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartRowNumbers(long numbers, int warpQuery, int queries)
    {
        int query = Math.Min(warpQuery + SharedTile.SumRow(Lane), queries - 1);
        CudaAsm.Emit("mov.b64 address, %0; mov.b32 last, %1;", numbers + 4L * query, queries - 1 - query);
    }

    // barrier: all threads' copies have arrived, and nobody reads the tile before any more, whose place the next copies take.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WaitForCopies()
    {
        CudaAsm.Emit("cp.async.wait_all;");
        Group.Barrier();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartHide(int lastKey, int key, int keyEnd)
    {
        int column = key + SharedTile.SumColumn(Lane);
        CudaAsm.Emit("mov.b32 ahead, %0; mov.b32 left, %1; mov.b32 key, %2;", lastKey + SharedTile.SumRow(Lane) - column, keyEnd - column, column);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void GiveDraws(uint bits, int lane, int shift) => CudaAsm.Emit("mov.b32 mine0, %0; mov.b32 lane, %1; mov.b32 shift, %2;", bits, lane, shift);

    // The stores of the warp's rows, tokens from `first` up to `end` of a head, through row `warpRow` and on of an operand at `place` in shared memory.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartStore(long head, int tokenStride, int first, int end, int warpRow, int headSize, int place)
    {
        int line = Lane >> 3, chunk = Lane & 7, left = end - first - line;
        CudaAsm.Emit(
            "add.u32 place, shared, %0; add.u32 write, shared, %1; mov.b64 address, %2; mov.b64 step, %3; mov.b32 limit0, %4; mov.b32 limit1, %5;",
            place + SharedTile.Offset(warpRow + SharedTile.SumRow(Lane), 0) + 2 * SharedTile.SumColumn(Lane), place + SharedTile.Offset(warpRow + line, chunk),
            ChunkAddress(head, tokenStride, first + line, chunk), 8L * tokenStride,
            Limit(left, chunk, headSize), Limit(left, chunk + SharedTile.LineChunks, headSize));
    }

    private static long ChunkAddress(long head, int tokenStride, int token, int chunk) => head + 2 * ((long)token * tokenStride + chunk * SharedTile.ChunkElements);

    private static int Limit(int left, int chunk, int headSize) => chunk * SharedTile.ChunkElements < headSize ? left : 0;

    // The first key that any of the warp's queries sees; lanes without a query of their own take the last one's.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe int FirstKeyOfWarp<TTile>(TTile tile, in AttentionArguments a, int batch, int warpQuery)
        where TTile : struct, IAttentionTile
    {
        if (a.Starts == 0)
            return 0;
        int query = Math.Min(warpQuery + Lane % AttentionShape.WarpRows(tile), a.Queries - 1);
        return WarpMinimum(((int*)a.Starts)[(long)batch * a.Queries + query]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int WarpMinimum(int value)
    {
        for (int distance = 16; distance > 0; distance >>= 1)
            value = Math.Min(value, ILGPU.Warp.ShuffleXor(value, distance));
        return value;
    }

    // The first tile of keys that any of the group's warps needs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstTile(int firstWarpKey, int keyEnd, int columns)
    {
        int key = 0;
        while (key < keyEnd && Group.BarrierAnd(key + columns <= firstWarpKey))
            key += columns;
        return key;
    }

    // Bit i is set where the probability of key `key` + i is kept, for `count` keys: a multiple of 4.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe uint Draw(in AttentionArguments a, int batch, int head, int query, int key, int count)
    {
        int* state = (int*)a.State;
        ulong number = (ulong)((uint)state[StepState.MicroStep] * a.Draws + (long)(uint)((batch * a.Heads + head) * a.Queries + query) * a.Keys + (uint)key);
        int inBlock = (int)(number & 3), blocks = inBlock == 0 ? count / 4 : count / 4 + 1;
        ulong block = number >> 2, bits = 0;
        for (int i = 0; i < blocks; i++, block++)
        {
            uint x0 = (uint)block, x1 = (uint)(block >> 32), x2 = (uint)a.Site, x3 = (uint)state[StepState.Step];
            PhiloxUnrolled(ref x0, ref x1, ref x2, ref x3, (uint)state[StepState.SeedLow], (uint)state[StepState.SeedHigh]);
            uint four = (x0 >= a.Threshold ? 1u : 0) | (x1 >= a.Threshold ? 2u : 0) | (x2 >= a.Threshold ? 4u : 0) | (x3 >= a.Threshold ? 8u : 0);
            bits |= (ulong)four << (4 * i);
        }

        return (uint)(bits >> inBlock);
    }

    // Philox.Next without its loop, which ILGPU and the assembler leave as it is.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PhiloxUnrolled(ref uint x0, ref uint x1, ref uint x2, ref uint x3, uint k0, uint k1)
    {
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
    }
}
