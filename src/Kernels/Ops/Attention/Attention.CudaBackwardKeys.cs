using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

internal static partial class TensorCoreAttention
{
    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80,
        DynamicSharedBytes = 49152 + 768 + AttentionShape.SharedAlignment)]
    internal static void BackwardKeys32(AttentionArguments a) => BackwardKeys<BackwardTile32>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80,
        DynamicSharedBytes = 49152 + 768 + AttentionShape.SharedAlignment)]
    internal static void BackwardKeys64(AttentionArguments a) => BackwardKeys<BackwardTile64>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80,
        DynamicSharedBytes = 65536 + 768 + AttentionShape.SharedAlignment)]
    internal static void BackwardKeys128(AttentionArguments a) => BackwardKeys<BackwardKeyTile128>(a);

    // dK and dV of a group's keys: rows are keys, columns the queries of all heads that share them, one head after the
    // other, from the first query on that sees any of the keys.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackwardKeys<TTile>(AttentionArguments a)
        where TTile : struct, IAttentionTile
    {
        TTile tile = default;
        int columns = AttentionShape.Columns(tile), keyHead = Grid.IdxX % a.KeyHeads, batch = Grid.IdxX / a.KeyHeads,
            offset = a.Offset(batch);
        // The first keys, which most queries see, go first.
        int key = Grid.IdxY * AttentionShape.Rows(tile), warpKey = key + WarpIndex * AttentionShape.WarpRows(tile);
        int head = keyHead * a.GroupSize, lastHead = head + a.GroupSize - 1,
            firstQuery = Math.Max(0, key - offset) / columns * columns, query = firstQuery;
        SharedMemory.GetDynamic<int>(); // declares __dyn_shared_alloca
        PtxText.Emit(KeysText<TTile>.Declare);
        StartRows(a.K, batch, keyHead, key, Math.Min(a.Keys, offset + a.Queries), a.HeadSize, 0);
        PtxText.Emit(KeysText<TTile>.CopyRows);
        StartRows(a.V, batch, keyHead, key, Math.Min(a.Keys, offset + a.Queries), a.HeadSize,
            AttentionShape.RowBytes(tile));
        PtxText.Emit(KeysText<TTile>.CopyRows);
        StartStages(
            tile, 2 * AttentionShape.RowBytes(tile), AttentionShape.TileBytes(tile) + AttentionShape.NumberBytes(tile));
        StartNumberPlaces(tile, a.Starts != 0);
        StartHead(tile, a, batch, head, query);
        PtxText.Emit(KeysText<TTile>.CopyColumns);
        PtxText.Emit(KeysText<TTile>.NextStage);
        CudaAsm.Emit("mov.f32 scale, %0; mov.f32 kept, %1;", a.ScaleLog2, a.Kept);

        while (query < a.Queries)
        {
            WaitForCopies();
            int tileQuery = query, tileHead = head;
            query += columns;
            if (query >= a.Queries && head < lastHead)
            {
                query = firstQuery;
                head++;
                StartHead(tile, a, batch, head, query);
            }

            if (query < a.Queries)
                PtxText.Emit(KeysText<TTile>.CopyColumns);
            PtxText.Emit(KeysText<TTile>.NextStage);
            if (warpKey < Math.Min(a.Keys, offset + tileQuery + columns))
                AddKeyGradients(tile, a, batch, tileHead, warpKey, offset, tileQuery);
        }

        WaitForCopies();
        CudaAsm.Emit("mov.f32 scale, %0;", a.Scale);
        StartStore(tile, a.Dk, batch, keyHead, warpKey, a.Keys, a.HeadSize, 0);
        PtxText.Emit(KeysText<TTile>.StoreKeys);
        StartStore(tile, a.Dv, batch, keyHead, warpKey, a.Keys, a.HeadSize, AttentionShape.RowBytes(tile));
        PtxText.Emit(KeysText<TTile>.StoreValues);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddKeyGradients<TTile>(
        TTile tile, in AttentionArguments a, int batch, int head, int warpKey, int offset, int query)
        where TTile : struct, IAttentionTile
    {
        // Draws come first: they take registers that scores are in later.
        if (a.State != 0)
        {
            GiveDraws(Draw(a, batch, head, query + Lane, warpKey, AttentionShape.WarpRows(tile)),
                SharedTile.SumColumn(Lane), SharedTile.SumRow(Lane));
        }

        PtxText.Emit(KeysText<TTile>.Scores);
        PtxText.Emit(KeysText<TTile>.ProbabilityGradients);
        PtxText.Emit(KeysText<TTile>.Probabilities);
        int row = warpKey + SharedTile.SumRow(Lane);
        CudaAsm.Emit("mov.b32 ahead, %0; mov.b32 key, %1;", offset + query + SharedTile.SumColumn(Lane) - row, row);
        if (a.Starts != 0)
            PtxText.Emit(KeysText<TTile>.HideStarts);
        else if (warpKey + AttentionShape.WarpRows(tile) > offset + query + 1)
            PtxText.Emit(KeysText<TTile>.Hide);

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

    // The copies of one head's queries from `query` on, and of the numbers that go with them: a thread has one kind of
    // them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartHead<TTile>(TTile tile, in AttentionArguments a, int batch, int head, int query)
        where TTile : struct, IAttentionTile
    {
        StartColumns(a.Q, a.DOutput, batch, head, query, a.Queries, a.HeadSize);
        int kind = Group.IdxX / AttentionShape.Columns(tile),
            column = query + Group.IdxX % AttentionShape.Columns(tile);
        long row = (long)(batch * a.Heads + head) * a.Queries,
            numbers = (kind == AttentionShape.LogSumExp ? a.LogSumExp : a.Delta) + 4 * row;
        if (kind == AttentionShape.FirstKey)
            numbers = a.Starts + 4L * batch * a.Queries;
        CudaAsm.Emit("mov.b64 fromNumber, %0; mov.b32 limitNumber, %1;", numbers + 4L * column, a.Queries - column);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StartNumberPlaces<TTile>(TTile tile, bool starts)
        where TTile : struct, IAttentionTile
    {
        int place = 2 * AttentionShape.RowBytes(tile) + AttentionShape.TileBytes(tile);
        int copied = (starts ? AttentionShape.Numbers : AttentionShape.FirstKey) * AttentionShape.Columns(tile);
        CudaAsm.Emit(
            "add.u32 numbers, shared, %0; add.u32 writeNumber, shared, %1; setp.lt.s32 copies, %2, %3;",
            place + 4 * SharedTile.SumColumn(Lane), place + 4 * Group.IdxX, Group.IdxX, copied);
    }

    private static class KeysText<TTile>
        where TTile : struct, IAttentionTile
    {
        private static readonly AttentionKeyGradientText text = new(default(TTile));

        public static readonly int Declare = text.Declare().ToText();
        public static readonly int CopyRows = text.CopyRows().ToText();
        public static readonly int CopyColumns = text.CopyColumns().ToText();
        public static readonly int NextStage = text.NextStage().ToText();
        public static readonly int Scores = text.Multiply("s", AttentionText.A).ToText();
        public static readonly int ProbabilityGradients = text.Multiply("t", AttentionText.B).ToText();
        public static readonly int Probabilities = text.Probabilities().ToText();
        public static readonly int Hide = text.Hide(starts: false).ToText();
        public static readonly int HideStarts = text.Hide(starts: true).ToText();
        public static readonly int DropGradients = text.DropGradients().ToText();
        public static readonly int Gradients = text.Gradients().ToText();
        public static readonly int DropProbabilities = text.DropProbabilities().ToText();
        public static readonly int PackProbabilities = text.Pack("s").ToText();
        public static readonly int AddOutputGradients = text.AddProduct("u", AttentionText.B).ToText();
        public static readonly int PackGradients = text.Pack("t").ToText();
        public static readonly int AddQueries = text.AddProduct("o", AttentionText.A).ToText();
        public static readonly int StoreKeys = text.StoreKeys().ToText();
        public static readonly int StoreValues = text.StoreValues().ToText();
    }
}
