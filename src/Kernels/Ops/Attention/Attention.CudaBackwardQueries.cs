using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

internal static partial class TensorCoreAttention
{
    // Lanes that share a query in BackwardDelta, each with four neighbouring elements at a time: one warp has several
    // in flight.
    private const int DeltaLanes = 8;

    /// <summary>Queries of a group of <see cref="BackwardDelta"/>.</summary>
    public const int DeltaRows = AttentionShape.Threads / DeltaLanes;

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80,
        DynamicSharedBytes = 49152 + AttentionShape.SharedAlignment)]
    internal static void BackwardQueries32(AttentionArguments a) => BackwardQueries<BackwardTile32>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80,
        DynamicSharedBytes = 49152 + AttentionShape.SharedAlignment)]
    internal static void BackwardQueries64(AttentionArguments a) => BackwardQueries<BackwardTile64>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80,
        DynamicSharedBytes = 98304 + AttentionShape.SharedAlignment)]
    internal static void BackwardQueries128(AttentionArguments a) => BackwardQueries<BackwardQueryTile128>(a);

    // delta = dOut . out of some queries of a head.
    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80)]
    internal static unsafe void BackwardDelta(AttentionArguments a)
    {
        int head = Grid.IdxX % a.Heads, batch = Grid.IdxX / a.Heads, lane = Group.IdxX % DeltaLanes;
        // All lanes of a warp go along to the shuffles.
        int query = Grid.IdxY * DeltaRows + Group.IdxX / DeltaLanes, existing = query < a.Queries ? query
            : a.Queries - 1;
        ulong* dOutput = (ulong*)ChunkAddress(a.DOutput, batch, head, existing, 0) + lane,
            output = (ulong*)ChunkAddress(a.Output, batch, head, existing, 0) + lane;
        float sum = 0;

        // The loop moves the pointers: what it does not change, ILGPU computes in it, the divisions too.
        for (int four = lane; four < a.HeadSize / 4; four += DeltaLanes)
        {
            ulong x = *dOutput, y = *output;
            sum += DotOfPair((uint)x, (uint)y) + DotOfPair((uint)(x >> 32), (uint)(y >> 32));
            dOutput += DeltaLanes;
            output += DeltaLanes;
        }

        for (int distance = DeltaLanes / 2; distance > 0; distance >>= 1)
            sum += Warp.ShuffleXor(sum, distance);
        if (lane == 0 && query < a.Queries)
            ((float*)a.Delta)[Grid.IdxX * a.Queries + query] = sum;
    }

    // Of two neighbouring bf16 elements each.
    private static float DotOfPair(uint x, uint y) =>
        Interop.IntAsFloat(x << 16) * Interop.IntAsFloat(y << 16)
        + Interop.IntAsFloat(x & 0xFFFF0000) * Interop.IntAsFloat(y & 0xFFFF0000);

    // dQ of a group's queries of one head: rows are queries, columns the keys that they see.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BackwardQueries<TTile>(AttentionArguments a)
        where TTile : struct, IAttentionTile
    {
        TTile tile = default;
        int columns = AttentionShape.Columns(tile);
        var queries = QueryBlock.Of(tile, a);
        SharedMemory.GetDynamic<int>(); // declares __dyn_shared_alloca
        PtxText.Emit(QueriesText<TTile>.Declare);
        StartRows(a.Q, queries.Batch, queries.Head, queries.First, a.Queries, a.HeadSize, 0);
        PtxText.Emit(QueriesText<TTile>.CopyRows);
        StartRows(a.DOutput, queries.Batch, queries.Head, queries.First, a.Queries, a.HeadSize,
            AttentionShape.RowBytes(tile));
        PtxText.Emit(QueriesText<TTile>.CopyRows);
        int key = FirstTile(queries, columns);
        StartStages(tile, 2 * AttentionShape.RowBytes(tile), AttentionShape.TileBytes(tile));
        StartColumns(a.K, a.V, queries.Batch, queries.KeyHead, key, queries.KeyEnd, a.HeadSize);
        PtxText.Emit(QueriesText<TTile>.CopyColumns);
        PtxText.Emit(QueriesText<TTile>.NextStage);
        StartRowNumbers(a.LogSumExp, queries.Batch * a.Heads + queries.Head, queries.WarpFirst, a.Queries);
        PtxText.Emit(QueriesText<TTile>.ReadLogSumExp);
        StartRowNumbers(a.Delta, queries.Batch * a.Heads + queries.Head, queries.WarpFirst, a.Queries);
        PtxText.Emit(QueriesText<TTile>.ReadDelta);
        CudaAsm.Emit("mov.f32 scale, %0; mov.f32 kept, %1;", a.ScaleLog2, a.Kept);

        for (; key < queries.KeyEnd; key += columns)
        {
            WaitForCopies();
            if (key + columns < queries.KeyEnd)
                PtxText.Emit(QueriesText<TTile>.CopyColumns);
            PtxText.Emit(QueriesText<TTile>.NextStage);
            if (queries.WarpSees(tile, key))
                AddQueryGradients(tile, a, queries, key);
        }

        WaitForCopies();
        CudaAsm.Emit("mov.f32 scale, %0;", a.Scale);
        StartStore(tile, a.Dq, queries.Batch, queries.Head, queries.WarpFirst, a.Queries, a.HeadSize, 0);
        PtxText.Emit(QueriesText<TTile>.Store);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddQueryGradients<TTile>(TTile tile, in AttentionArguments a, in QueryBlock queries, int key)
        where TTile : struct, IAttentionTile
    {
        // Draws come first: they take registers that scores are in later.
        if (a.State != 0)
            DrawForQueries(tile, a, queries, key);
        PtxText.Emit(QueriesText<TTile>.Scores);
        PtxText.Emit(QueriesText<TTile>.ProbabilityGradients);
        PtxText.Emit(QueriesText<TTile>.Probabilities);
        if (a.Starts != 0)
        {
            StartHide(a, queries, key);
            PtxText.Emit(QueriesText<TTile>.HideStarts);
        }
        else if (!queries.WarpSeesAll(tile, key))
        {
            StartHide(a, queries, key);
            PtxText.Emit(QueriesText<TTile>.Hide);
        }

        if (a.State != 0)
            PtxText.Emit(QueriesText<TTile>.Drop);
        PtxText.Emit(QueriesText<TTile>.Gradients);
        PtxText.Emit(QueriesText<TTile>.Pack);
        PtxText.Emit(QueriesText<TTile>.AddKeys);
    }

    private static class QueriesText<TTile>
        where TTile : struct, IAttentionTile
    {
        private static readonly AttentionQueryGradientText text = new(default(TTile));

        public static readonly int Declare = text.Declare().ToText();
        public static readonly int CopyRows = text.CopyRows().ToText();
        public static readonly int CopyColumns = text.CopyColumns().ToText();
        public static readonly int NextStage = text.NextStage().ToText();
        public static readonly int ReadLogSumExp = text.ReadLogSumExp().ToText();
        public static readonly int ReadDelta = text.ReadDelta().ToText();
        public static readonly int Scores = text.Multiply("s", AttentionText.A).ToText();
        public static readonly int ProbabilityGradients = text.Multiply("t", AttentionText.B).ToText();
        public static readonly int Probabilities = text.Probabilities().ToText();
        public static readonly int Hide = text.Hide(starts: false).ToText();
        public static readonly int HideStarts = text.Hide(starts: true).ToText();
        public static readonly int Drop = text.Drop().ToText();
        public static readonly int Gradients = text.Gradients().ToText();
        public static readonly int Pack = text.Pack("t").ToText();
        public static readonly int AddKeys = text.AddProduct("o", AttentionText.A).ToText();
        public static readonly int Store = text.Store().ToText();
    }
}
