using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

// What the kernels share: a thread's places, given to the registers that AttentionText names, and the draws of dropout.
internal static partial class TensorCoreAttention
{
    private static int Lane => Group.IdxX & 31;

    private static int WarpIndex => Group.IdxX >> 5;

    /// <summary>The queries of a group and of one of its warps, and the keys that they see.</summary>
    private readonly struct QueryBlock
    {
        private QueryBlock(
            int batch, int head, int keyHead, int first, int warpFirst, int keyEnd, int lastKey, int firstKey)
        {
            (Batch, Head, KeyHead, First, WarpFirst, KeyEnd) = (batch, head, keyHead, first, warpFirst, keyEnd);
            (LastKey, FirstKey) = (lastKey, firstKey);
        }

        public int Batch { get; }

        public int Head { get; }

        public int KeyHead { get; }

        /// <summary>The group's first query.</summary>
        public int First { get; }

        /// <summary>The warp's first query.</summary>
        public int WarpFirst { get; }

        /// <summary>The end of the keys that the group sees.</summary>
        public int KeyEnd { get; }

        /// <summary>
        /// The last key that the warp's first query sees, or would see if there were so many; far before all keys where
        /// the warp has no query.
        /// </summary>
        public int LastKey { get; }

        /// <summary>The first key that any of the warp's queries sees.</summary>
        public int FirstKey { get; }

        public static QueryBlock Of<TTile>(TTile tile, in AttentionArguments a)
            where TTile : struct, IAttentionTile
        {
            int rows = AttentionShape.Rows(tile), head = Grid.IdxX % a.Heads, batch = Grid.IdxX / a.Heads,
                offset = a.Offset(batch);
            int first = (Grid.DimY - 1 - Grid.IdxY) * rows; // the last queries, which see most keys, go first
            int warpFirst = first + WarpIndex * AttentionShape.WarpRows(tile);
            int lastKey = warpFirst < a.Queries ? offset + warpFirst
                : -AttentionShape.WarpRows(tile), keyEnd = Math.Min(a.Keys, offset + Math.Min(first + rows, a.Queries));
            return new QueryBlock(
                batch, head, head / a.GroupSize, first, warpFirst, keyEnd, lastKey,
                FirstKeyOf(tile, a, batch, warpFirst));
        }

        /// <summary>Whether any of the warp's queries sees any key of the tile that starts with this one.</summary>
        public bool WarpSees<TTile>(TTile tile, int key) where TTile : struct, IAttentionTile =>
            key < LastKey + AttentionShape.WarpRows(tile) && key + AttentionShape.Columns(tile) > FirstKey;

        /// <summary>Whether all see all, if none has a start.</summary>
        public bool WarpSeesAll<TTile>(TTile tile, int key) where TTile : struct, IAttentionTile =>
            key + AttentionShape.Columns(tile) <= Math.Min(LastKey + 1, KeyEnd);

        // Lanes without a query take the last one's.
        private static unsafe int FirstKeyOf<TTile>(TTile tile, in AttentionArguments a, int batch, int warpFirst)
            where TTile : struct, IAttentionTile
        {
            if (a.Starts == 0)
                return 0;
            int first = ((int*)a.Starts)[batch * a.Queries
                + Math.Min(warpFirst + Lane % AttentionShape.WarpRows(tile), a.Queries - 1)];
            for (int distance = 16; distance > 0; distance >>= 1)
                first = Math.Min(first, Warp.ShuffleXor(first, distance));
            return first;
        }
    }

    // The first tile of keys that a warp of the group needs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstTile(in QueryBlock queries, int columns)
    {
        int key = 0;
        while (key < queries.KeyEnd && Group.BarrierAnd(key + columns <= queries.FirstKey))
            key += columns;
        return key;
    }

    // The copies of the group's rows, tokens from `first` up to `end` of a head, to `place` in shared memory.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartRows(in DeviceHeads x, int batch, int head, int first, int end, int headSize, int place)
    {
        int line = Group.IdxX >> 3, chunk = Group.IdxX & 7, left = end - first - line;
        CudaAsm.Emit(
            "mov.b64 address, %0; mov.b64 step, %1; add.u32 write, shared, %2; mov.b32 limit0, %3; mov.b32 limit1, %4;",
            ChunkAddress(x, batch, head, first + line, chunk), 32L * x.TokenStride,
            place + SharedTile.Offset(line, chunk),
            Limit(left, chunk, headSize), Limit(left, chunk + SharedTile.LineChunks, headSize));
    }

    // The copies of the columns of two operands, tokens from `first` up to `end` of a head.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartColumns(
        in DeviceHeads a, in DeviceHeads b, int batch, int head, int first, int end, int headSize)
    {
        int line = Group.IdxX >> 3, chunk = Group.IdxX & 7, left = end - first - line;
        CudaAsm.Emit(
            "mov.b64 fromA, %0; mov.b32 strideA, %1; mov.b64 fromB, %2; mov.b32 strideB, %3; mov.b32 limit0, %4; "
            + "mov.b32 limit1, %5;",
            ChunkAddress(a, batch, head, first + line, chunk), a.TokenStride,
            ChunkAddress(b, batch, head, first + line, chunk), b.TokenStride,
            Limit(left, chunk, headSize), Limit(left, chunk + SharedTile.LineChunks, headSize));
    }

    // The places of rows and columns for loading and copying; the first of the two stages is at `place`, the second
    // `bytes` after it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartStages<TTile>(TTile tile, int place, int bytes)
        where TTile : struct, IAttentionTile => CudaAsm.Emit(
            "add.u32 rows, shared, %0; add.u32 direct, shared, %1; add.u32 turned, shared, %2; "
            + "add.u32 write, shared, %3; mov.b32 stage, %4;",
            SharedTile.FragmentOffset(true, false, WarpIndex * AttentionShape.WarpRows(tile), Lane),
            place + SharedTile.FragmentOffset(true, true, 0, Lane),
            place + SharedTile.FragmentOffset(false, true, 0, Lane),
            place + SharedTile.Offset(Group.IdxX >> 3, Group.IdxX & 7), bytes);

    // barrier: all threads' copies have arrived, and nobody reads the other stage any more, which is copied to next.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WaitForCopies()
    {
        CudaAsm.Emit("cp.async.wait_all;");
        Group.Barrier();
    }

    // Numbers of the lane's rows: those of its queries in one of the (count, Tq) rows at an address.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartRowNumbers(long numbers, int row, int warpFirst, int queries)
    {
        int query = Math.Min(warpFirst + SharedTile.SumRow(Lane), queries - 1);
        CudaAsm.Emit(
            "mov.b64 address, %0; mov.b32 last, %1;", numbers + 4 * ((long)row * queries + query), queries - 1 - query);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartHide(in AttentionArguments a, in QueryBlock queries, int key)
    {
        int column = key + SharedTile.SumColumn(Lane);
        CudaAsm.Emit(
            "mov.b32 ahead, %0; mov.b32 left, %1; mov.b32 key, %2;", queries.LastKey + SharedTile.SumRow(Lane) - column,
            queries.KeyEnd - column, column);
        if (a.Starts != 0)
            StartRowNumbers(a.Starts, queries.Batch, queries.WarpFirst, a.Queries);
    }

    // The stores of the warp's rows, tokens from `first` up to `end` of a head, through the rows of an operand at
    // `place` in shared memory.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartStore<TTile>(
        TTile tile, in DeviceHeads x, int batch, int head, int first, int end, int headSize, int place)
        where TTile : struct, IAttentionTile
    {
        int line = Lane >> 3, chunk = Lane & 7, left = end - first - line,
            warpRow = WarpIndex * AttentionShape.WarpRows(tile);
        CudaAsm.Emit(
            "add.u32 place, shared, %0; add.u32 write, shared, %1; mov.b64 address, %2; mov.b64 step, %3; mov.b32 "
            + "limit0, %4; mov.b32 limit1, %5;",
            place + SharedTile.Offset(warpRow + SharedTile.SumRow(Lane), 0) + 2 * SharedTile.SumColumn(Lane),
            place + SharedTile.Offset(warpRow + line, chunk),
            ChunkAddress(x, batch, head, first + line, chunk), 8L * x.TokenStride, Limit(left, chunk, headSize),
            Limit(left, chunk + SharedTile.LineChunks, headSize));
    }

    private static long ChunkAddress(in DeviceHeads x, int batch, int head, int token, int chunk) =>
        x.At(batch, head) + 2 * ((long)token * x.TokenStride + chunk * SharedTile.ChunkElements);

    private static int Limit(int left, int chunk, int headSize) => chunk * SharedTile.ChunkElements < headSize ? left
        : 0;

    // Each lane draws for one of the warp's queries, a bit for each key of the tile.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DrawForQueries<TTile>(TTile tile, in AttentionArguments a, in QueryBlock queries, int key)
        where TTile : struct, IAttentionTile
    {
        GiveDraws(Draw(a, queries.Batch, queries.Head, queries.WarpFirst + Lane, key, 32), SharedTile.SumRow(Lane),
            SharedTile.SumColumn(Lane));
        if (AttentionShape.Columns(tile) > 32)
        {
            CudaAsm.Emit(
                "mov.b32 mine1, %0;", Draw(a, queries.Batch, queries.Head, queries.WarpFirst + Lane, key + 32, 32));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void GiveDraws(uint bits, int lane, int shift) =>
        CudaAsm.Emit("mov.b32 mine0, %0; mov.b32 lane, %1; mov.b32 shift, %2;", bits, lane, shift);

    // Bit i says whether the probability of key `key` + i is kept, for `count` keys: 16 or 32. Numbers are drawn four
    // at a time, of which the first need not be the first key's.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe uint Draw(in AttentionArguments a, int batch, int head, int query, int key, int count)
    {
        int* state = (int*)a.State;
        ulong number = (ulong)((uint)state[StepState.MicroStep] * a.Draws
            + (long)(uint)((batch * a.Heads + head) * a.Queries + query) * a.Keys + (uint)key);
        int before = (int)(number & 3), fours = (before + count + 3) / 4;
        ulong bits = 0;
        for (int i = 0; i < fours; i++)
        {
            ulong counter = (number >> 2) + (uint)i;
            uint x0 = (uint)counter, x1 = (uint)(counter >> 32), x2 = (uint)a.Site, x3 = (uint)state[StepState.Step];
            Philox(ref x0, ref x1, ref x2, ref x3, (uint)state[StepState.SeedLow], (uint)state[StepState.SeedHigh]);
            uint four = (x0 >= a.Threshold ? 1u : 0) | (x1 >= a.Threshold ? 2u : 0) | (x2 >= a.Threshold ? 4u : 0)
                | (x3 >= a.Threshold ? 8u : 0);
            bits |= (ulong)four << (4 * i);
        }

        return (uint)(bits >> before);
    }

    // Philox.Next without its loop, which would be half of the work.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Philox(ref uint x0, ref uint x1, ref uint x2, ref uint x3, uint k0, uint k1)
    {
        TwoRounds(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        TwoRounds(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        TwoRounds(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        TwoRounds(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        TwoRounds(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TwoRounds(ref uint x0, ref uint x1, ref uint x2, ref uint x3, ref uint k0, ref uint k1)
    {
        TinyLlm.Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
        TinyLlm.Philox.Round(ref x0, ref x1, ref x2, ref x3, ref k0, ref k1);
    }
}
