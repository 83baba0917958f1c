using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

internal static partial class TensorCoreAttention
{
    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80, DynamicSharedBytes = 49152 + AttentionShape.SharedAlignment)]
    private static void BackwardQueries32(AttentionArguments a) => BackwardQueries<Backward32>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80, DynamicSharedBytes = 49152 + AttentionShape.SharedAlignment)]
    private static void BackwardQueries64(AttentionArguments a) => BackwardQueries<Backward64>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80, DynamicSharedBytes = 98304 + AttentionShape.SharedAlignment)]
    private static void BackwardQueries128(AttentionArguments a) => BackwardQueries<BackwardQueries128>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80, DynamicSharedBytes = 49152 + 768 + AttentionShape.SharedAlignment)]
    private static void BackwardKeys32(AttentionArguments a) => BackwardKeys<Backward32>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80, DynamicSharedBytes = 49152 + 768 + AttentionShape.SharedAlignment)]
    private static void BackwardKeys64(AttentionArguments a) => BackwardKeys<Backward64>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80, DynamicSharedBytes = 65536 + 768 + AttentionShape.SharedAlignment)]
    private static void BackwardKeys128(AttentionArguments a) => BackwardKeys<BackwardKeys128>(a);

    // delta = dOut . out of one query and head: a warp each.
    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80)]
    private static unsafe void BackwardDelta(AttentionArguments a)
    {
        long row = (long)Grid.IdxX * 4 + Warp;
        if (row >= (long)a.Batch * a.Heads * a.Queries)
            return;
        int query = (int)(row % a.Queries), head = (int)(row / a.Queries % a.Heads), batch = (int)(row / a.Queries / a.Heads);
        uint* dOutput = (uint*)ChunkAddress(a.DOutput.At(batch, head), a.DOutput.TokenStride, query, 0);
        uint* output = (uint*)ChunkAddress(a.Output.At(batch, head), a.Output.TokenStride, query, 0);
        float sum = 0;
        for (int pair = Lane; pair < a.HeadSize / 2; pair += 32)
        {
            uint x = dOutput[pair], y = output[pair];
            sum += Interop.IntAsFloat(x << 16) * Interop.IntAsFloat(y << 16) + Interop.IntAsFloat(x & 0xFFFF0000) * Interop.IntAsFloat(y & 0xFFFF0000);
        }

        for (int distance = 16; distance > 0; distance >>= 1)
            sum += ILGPU.Warp.ShuffleXor(sum, distance);
        if (Lane == 0)
            ((float*)a.Delta)[row] = sum;
    }

    // dQ of one block of queries of one head: rows are queries, columns keys.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackwardQueries<TTile>(AttentionArguments a)
        where TTile : struct, IAttentionTile
    {
        TTile tile = default;
        int columns = AttentionShape.Columns(tile), head = Grid.IdxX % a.Heads, batch = Grid.IdxX / a.Heads;
        int query = (Grid.DimY - 1 - Grid.IdxY) * AttentionShape.Rows(tile); // the last queries, which see most keys, go first
        int warpQuery = query + Warp * AttentionShape.WarpRows(tile), lastKey = a.Offset(batch) + warpQuery; // the last that the warp's first query sees
        int keyEnd = Math.Min(a.Keys, a.Offset(batch) + Math.Min(query + AttentionShape.Rows(tile), a.Queries));

        SharedMemory.GetDynamic<int>(); // declares __dyn_shared_alloca
        PtxText.Emit(QueriesText<TTile>.Declare);
        StartRows(a.Q.At(batch, head), a.Q.TokenStride, query, a.Queries, a.HeadSize, 0);
        PtxText.Emit(QueriesText<TTile>.CopyRows);
        StartRows(a.DOutput.At(batch, head), a.DOutput.TokenStride, query, a.Queries, a.HeadSize, AttentionShape.RowBytes(tile));
        PtxText.Emit(QueriesText<TTile>.CopyRows);
        int firstWarpKey = FirstKeyOfWarp(tile, a, batch, warpQuery), key = FirstTile(firstWarpKey, keyEnd, columns);
        StartStages(Warp * AttentionShape.WarpRows(tile), 2 * AttentionShape.RowBytes(tile), AttentionShape.TileBytes(tile));
        StartColumns(a.K, a.V, batch, head / (a.Heads / a.KeyHeads), key, keyEnd, a.HeadSize);
        PtxText.Emit(QueriesText<TTile>.CopyColumns);
        PtxText.Emit(QueriesText<TTile>.NextTile);
        CudaAsm.Emit("mov.f32 scale, %0; mov.f32 kept, %1;", a.ScaleLog2, a.Kept);
        ReadQueryNumbers<TTile>(a, batch, head, warpQuery);

        for (; key < keyEnd; key += columns)
        {
            WaitForCopies();
            if (key + columns < keyEnd)
                PtxText.Emit(QueriesText<TTile>.CopyColumns);
            PtxText.Emit(QueriesText<TTile>.NextTile);
            if (key >= lastKey + AttentionShape.WarpRows(tile) || key + columns <= firstWarpKey)
                continue;

            // Draws come first: they would take registers that scores are in later.
            if (a.State != 0)
                GiveDraws(Draw(a, batch, head, warpQuery + Lane, key, 32), SharedTile.SumRow(Lane), SharedTile.SumColumn(Lane));
            PtxText.Emit(QueriesText<TTile>.Scores);
            PtxText.Emit(QueriesText<TTile>.ProbabilityGradients);
            PtxText.Emit(QueriesText<TTile>.Probabilities);
            HideQueries<TTile>(a, batch, warpQuery, key, keyEnd);
            if (a.State != 0)
                PtxText.Emit(QueriesText<TTile>.Drop);
            PtxText.Emit(QueriesText<TTile>.Gradients);
            PtxText.Emit(QueriesText<TTile>.Pack);
            PtxText.Emit(QueriesText<TTile>.AddKeys);
        }

        CudaAsm.Emit("mov.f32 scale, %0;", a.Scale);
        StartStore(a.Dq.At(batch, head), a.Dq.TokenStride, warpQuery, a.Queries, Warp * AttentionShape.WarpRows(tile), a.HeadSize, 0);
        PtxText.Emit(QueriesText<TTile>.Store);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ReadQueryNumbers<TTile>(in AttentionArguments a, int batch, int head, int warpQuery)
        where TTile : struct, IAttentionTile
    {
        long numbers = 4L * (batch * a.Heads + head) * a.Queries;
        StartRowNumbers(a.LogSumExp + numbers, warpQuery, a.Queries);
        PtxText.Emit(QueriesText<TTile>.ReadLogSumExp);
        StartRowNumbers(a.Delta + numbers, warpQuery, a.Queries);
        PtxText.Emit(QueriesText<TTile>.ReadDelta);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void HideQueries<TTile>(in AttentionArguments a, int batch, int warpQuery, int key, int keyEnd)
        where TTile : struct, IAttentionTile
    {
        int lastKey = a.Offset(batch) + warpQuery, end = key + AttentionShape.Columns(default(TTile));
        if (a.Starts == 0 && end <= lastKey + 1 && end <= keyEnd)
            return;
        StartHide(lastKey, key, keyEnd);
        if (a.Starts == 0)
        {
            PtxText.Emit(QueriesText<TTile>.Hide);
            return;
        }

        StartRowNumbers(a.Starts + 4L * batch * a.Queries, warpQuery, a.Queries);
        PtxText.Emit(QueriesText<TTile>.HideStarts);
    }

    // dK and dV of one block of keys of one key head: rows are keys, columns the queries of all heads of the group, one head after the other.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackwardKeys<TTile>(AttentionArguments a)
        where TTile : struct, IAttentionTile
    {
        TTile tile = default;
        int columns = AttentionShape.Columns(tile), keyHead = Grid.IdxX % a.KeyHeads, batch = Grid.IdxX / a.KeyHeads;
        int key = Grid.IdxY * AttentionShape.Rows(tile), offset = a.Offset(batch); // the first keys, which most queries see, go first
        int warpKey = key + Warp * AttentionShape.WarpRows(tile), keyEnd = Math.Min(a.Keys, offset + a.Queries);
        int head = keyHead * (a.Heads / a.KeyHeads), headEnd = head + a.Heads / a.KeyHeads, firstQuery = Math.Max(0, key - offset) / columns * columns, query = firstQuery;

        SharedMemory.GetDynamic<int>(); // declares __dyn_shared_alloca
        PtxText.Emit(KeysText<TTile>.Declare);
        StartRows(a.K.At(batch, keyHead), a.K.TokenStride, key, keyEnd, a.HeadSize, 0);
        PtxText.Emit(KeysText<TTile>.CopyRows);
        StartRows(a.V.At(batch, keyHead), a.V.TokenStride, key, keyEnd, a.HeadSize, AttentionShape.RowBytes(tile));
        PtxText.Emit(KeysText<TTile>.CopyRows);
        StartStages(Warp * AttentionShape.WarpRows(tile), 2 * AttentionShape.RowBytes(tile), AttentionShape.TileBytes(tile) + AttentionShape.NumberBytes(tile));
        StartNumbers(tile, a.Starts == 0 ? 2 : 3);
        if (query < a.Queries)
        {
            StartHead(tile, a, batch, head, query);
            PtxText.Emit(KeysText<TTile>.CopyColumns);
            PtxText.Emit(KeysText<TTile>.NextTile);
        }

        CudaAsm.Emit("mov.f32 scale, %0; mov.f32 kept, %1;", a.ScaleLog2, a.Kept);

        while (head < headEnd && query < a.Queries)
        {
            WaitForCopies();
            int queryOfTile = query, headOfTile = head;
            query += columns;
            if (query >= a.Queries && head + 1 < headEnd)
            {
                query = firstQuery;
                head++;
                StartHead(tile, a, batch, head, query);
            }

            if (query < a.Queries)
                PtxText.Emit(KeysText<TTile>.CopyColumns);
            PtxText.Emit(KeysText<TTile>.NextTile);
            if (warpKey > offset + queryOfTile + columns - 1)
                continue;

            // Draws come first: they would take registers that scores are in later.
            if (a.State != 0)
                GiveDraws(Draw(a, batch, headOfTile, queryOfTile + Lane, warpKey, AttentionShape.WarpRows(tile)), SharedTile.SumColumn(Lane), SharedTile.SumRow(Lane));
            PtxText.Emit(KeysText<TTile>.Scores);
            PtxText.Emit(KeysText<TTile>.ProbabilityGradients);
            PtxText.Emit(KeysText<TTile>.Probabilities);
            HideKeys<TTile>(a, warpKey, offset + queryOfTile);
            if (a.State != 0)
                PtxText.Emit(KeysText<TTile>.DropGradients);
            PtxText.Emit(KeysText<TTile>.Gradients);
            if (a.State != 0)
                PtxText.Emit(KeysText<TTile>.DropProbabilities);
            PtxText.Emit(KeysText<TTile>.PackProbabilities);
            PtxText.Emit(KeysText<TTile>.AddOutputGradients);
            PtxText.Emit(KeysText<TTile>.PackGradients);
            PtxText.Emit(KeysText<TTile>.AddQueries);
        }

        CudaAsm.Emit("cp.async.wait_all; mov.f32 scale, %0;", a.Scale);
        StartStore(a.Dk.At(batch, keyHead), a.Dk.TokenStride, warpKey, a.Keys, Warp * AttentionShape.WarpRows(tile), a.HeadSize, 0);
        PtxText.Emit(KeysText<TTile>.StoreKeys);
        StartStore(a.Dv.At(batch, keyHead), a.Dv.TokenStride, warpKey, a.Keys, Warp * AttentionShape.WarpRows(tile), a.HeadSize, AttentionShape.RowBytes(tile));
        PtxText.Emit(KeysText<TTile>.StoreValues);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void HideKeys<TTile>(in AttentionArguments a, int warpKey, int lastKey)
        where TTile : struct, IAttentionTile
    {
        if (a.Starts == 0 && warpKey + AttentionShape.WarpRows(default(TTile)) <= lastKey + 1)
            return;
        int row = warpKey + SharedTile.SumRow(Lane);
        CudaAsm.Emit("mov.b32 ahead, %0; mov.b32 key, %1;", lastKey + SharedTile.SumColumn(Lane) - row, row);
        if (a.Starts != 0)
            PtxText.Emit(KeysText<TTile>.HideStarts);
        else
            PtxText.Emit(KeysText<TTile>.Hide);
    }

    // The copies of one head's queries, from `query` on, and of the numbers that they have.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartHead<TTile>(TTile tile, in AttentionArguments a, int batch, int head, int query)
        where TTile : struct, IAttentionTile
    {
        StartColumns(a.Q, a.DOutput, batch, head, query, a.Queries, a.HeadSize);
        int kind = Group.IdxX / AttentionShape.Columns(tile), column = query + Group.IdxX % AttentionShape.Columns(tile);
        long row = (long)(batch * a.Heads + head) * a.Queries, numbers = kind == AttentionShape.LogSumExp ? a.LogSumExp + 4 * row : a.Delta + 4 * row;
        if (kind == AttentionShape.Start)
            numbers = a.Starts + 4L * batch * a.Queries;
        CudaAsm.Emit("mov.b64 fromNumber, %0; mov.b32 limitNumber, %1;", numbers + 4L * column, a.Queries - column);
    }

    // The queries' numbers, behind their tile in both of its places.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartNumbers<TTile>(TTile tile, int kinds)
        where TTile : struct, IAttentionTile
    {
        int place = 2 * AttentionShape.RowBytes(tile) + AttentionShape.TileBytes(tile);
        CudaAsm.Emit(
            "add.u32 numbers, shared, %0; add.u32 writeNumber, shared, %1; setp.lt.s32 copies, %2, %3;",
            place + 4 * SharedTile.SumColumn(Lane), place + 4 * Group.IdxX, Group.IdxX, kinds * AttentionShape.Columns(tile));
    }

    private static class QueriesText<TTile>
        where TTile : struct, IAttentionTile
    {
        private static readonly AttentionQueryGradientText text = new(default(TTile));

        public static readonly int Declare = PtxText.Add(text.Declare());
        public static readonly int CopyRows = PtxText.Add(text.CopyRows());
        public static readonly int CopyColumns = PtxText.Add(text.CopyColumns());
        public static readonly int ReadLogSumExp = PtxText.Add(text.ReadLogSumExp());
        public static readonly int ReadDelta = PtxText.Add(text.ReadDelta());
        public static readonly int NextTile = PtxText.Add(text.NextTile());
        public static readonly int Scores = PtxText.Add(text.Multiply("s", AttentionText.A));
        public static readonly int ProbabilityGradients = PtxText.Add(text.Multiply("t", AttentionText.B));
        public static readonly int Probabilities = PtxText.Add(text.Probabilities());
        public static readonly int Hide = PtxText.Add(text.Hide(starts: false));
        public static readonly int HideStarts = PtxText.Add(text.Hide(starts: true));
        public static readonly int Drop = PtxText.Add(text.Drop());
        public static readonly int Gradients = PtxText.Add(text.Gradients());
        public static readonly int Pack = PtxText.Add(text.Pack("t"));
        public static readonly int AddKeys = PtxText.Add(text.Add("o", AttentionText.A));
        public static readonly int Store = PtxText.Add(text.Store());
    }

    private static class KeysText<TTile>
        where TTile : struct, IAttentionTile
    {
        private static readonly AttentionKeyGradientText text = new(default(TTile));

        public static readonly int Declare = PtxText.Add(text.Declare());
        public static readonly int CopyRows = PtxText.Add(text.CopyRows());
        public static readonly int CopyColumns = PtxText.Add(text.CopyColumns());
        public static readonly int NextTile = PtxText.Add(text.NextTile());
        public static readonly int Scores = PtxText.Add(text.Multiply("s", AttentionText.A));
        public static readonly int ProbabilityGradients = PtxText.Add(text.Multiply("t", AttentionText.B));
        public static readonly int Probabilities = PtxText.Add(text.Probabilities());
        public static readonly int Hide = PtxText.Add(text.Hide(starts: false));
        public static readonly int HideStarts = PtxText.Add(text.Hide(starts: true));
        public static readonly int DropGradients = PtxText.Add(text.DropGradients());
        public static readonly int Gradients = PtxText.Add(text.Gradients());
        public static readonly int DropProbabilities = PtxText.Add(text.DropProbabilities());
        public static readonly int PackProbabilities = PtxText.Add(text.Pack("s"));
        public static readonly int AddOutputGradients = PtxText.Add(text.Add("u", AttentionText.B));
        public static readonly int PackGradients = PtxText.Add(text.Pack("t"));
        public static readonly int AddQueries = PtxText.Add(text.Add("o", AttentionText.A));
        public static readonly int StoreKeys = PtxText.Add(text.StoreKeys());
        public static readonly int StoreValues = PtxText.Add(text.StoreValues());
    }
}
