using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

internal static partial class TensorCoreAttention
{
    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80, DynamicSharedBytes = 49152 + AttentionShape.SharedAlignment)]
    private static void Forward32(AttentionArguments a) => Forward<Forward32>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80, DynamicSharedBytes = 49152 + AttentionShape.SharedAlignment)]
    private static void Forward64(AttentionArguments a) => Forward<Forward64>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80, DynamicSharedBytes = 65536 + AttentionShape.SharedAlignment)]
    private static void Forward128(AttentionArguments a) => Forward<Forward128>(a);

    // One block of queries of one head against the tiles of keys that it sees. While a tile is being multiplied, the next is on its way.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Forward<TTile>(AttentionArguments a)
        where TTile : struct, IAttentionTile
    {
        TTile tile = default;
        int columns = AttentionShape.Columns(tile), head = Grid.IdxX % a.Heads, batch = Grid.IdxX / a.Heads;
        int query = (Grid.DimY - 1 - Grid.IdxY) * AttentionShape.Rows(tile); // the last queries, which see most keys, go first
        int warpQuery = query + Warp * AttentionShape.WarpRows(tile), lastKey = a.Offset(batch) + warpQuery; // the last that the warp's first query sees
        int keyEnd = Math.Min(a.Keys, a.Offset(batch) + Math.Min(query + AttentionShape.Rows(tile), a.Queries));

        SharedMemory.GetDynamic<int>(); // declares __dyn_shared_alloca
        PtxText.Emit(Text<TTile>.Declare);
        StartRows(a.Q.At(batch, head), a.Q.TokenStride, query, a.Queries, a.HeadSize, 0);
        PtxText.Emit(Text<TTile>.CopyRows);
        int firstWarpKey = FirstKeyOfWarp(tile, a, batch, warpQuery), key = FirstTile(firstWarpKey, keyEnd, columns);
        StartStages(Warp * AttentionShape.WarpRows(tile), AttentionShape.RowBytes(tile), AttentionShape.TileBytes(tile));
        StartColumns(a.K, a.V, batch, head / (a.Heads / a.KeyHeads), key, keyEnd, a.HeadSize);
        PtxText.Emit(Text<TTile>.CopyColumns);
        PtxText.Emit(Text<TTile>.NextTile);
        CudaAsm.Emit("mov.f32 scale, %0; mov.f32 kept, %1;", a.ScaleLog2, a.Kept);

        for (; key < keyEnd; key += columns)
        {
            WaitForCopies();
            if (key + columns < keyEnd)
                PtxText.Emit(Text<TTile>.CopyColumns);
            PtxText.Emit(Text<TTile>.NextTile);
            if (key >= lastKey + AttentionShape.WarpRows(tile) || key + columns <= firstWarpKey)
                continue;

            // Draws come first: they would take registers that scores are in later.
            if (a.State != 0)
                DrawForward(tile, a, batch, head, warpQuery, key);
            PtxText.Emit(Text<TTile>.Scores);
            HideForward<TTile>(a, batch, warpQuery, key, keyEnd);
            PtxText.Emit(Text<TTile>.Softmax);
            if (a.State != 0)
                PtxText.Emit(Text<TTile>.Drop);
            PtxText.Emit(Text<TTile>.Pack);
            PtxText.Emit(Text<TTile>.AddValues);
        }

        int left = a.Queries - warpQuery - SharedTile.SumRow(Lane);
        CudaAsm.Emit(
            "mov.b64 logSumExp, %0; mov.b32 left, %1;",
            a.LogSumExp + 4 * (((long)batch * a.Heads + head) * a.Queries + a.Queries - left), SharedTile.SumColumn(Lane) == 0 ? left : 0);
        PtxText.Emit(Text<TTile>.Finish);
        StartStore(a.Output.At(batch, head), a.Output.TokenStride, warpQuery, a.Queries, Warp * AttentionShape.WarpRows(tile), a.HeadSize, 0);
        PtxText.Emit(Text<TTile>.Store);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void HideForward<TTile>(in AttentionArguments a, int batch, int warpQuery, int key, int keyEnd)
        where TTile : struct, IAttentionTile
    {
        int lastKey = a.Offset(batch) + warpQuery, end = key + AttentionShape.Columns(default(TTile));
        if (a.Starts == 0 && end <= lastKey + 1 && end <= keyEnd)
            return;
        StartHide(lastKey, key, keyEnd);
        if (a.Starts == 0)
        {
            PtxText.Emit(Text<TTile>.Hide);
            return;
        }

        StartRowNumbers(a.Starts + 4L * batch * a.Queries, warpQuery, a.Queries);
        PtxText.Emit(Text<TTile>.HideStarts);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DrawForward<TTile>(TTile tile, in AttentionArguments a, int batch, int head, int warpQuery, int key)
        where TTile : struct, IAttentionTile
    {
        GiveDraws(Draw(a, batch, head, warpQuery + Lane, key, 32), SharedTile.SumRow(Lane), SharedTile.SumColumn(Lane));
        if (tile.ColumnBlocks > 4)
            CudaAsm.Emit("mov.b32 mine1, %0;", Draw(a, batch, head, warpQuery + Lane, key + 32, 32));
    }

    private static class Text<TTile>
        where TTile : struct, IAttentionTile
    {
        private static readonly AttentionForwardText text = new(default(TTile));

        public static readonly int Declare = PtxText.Add(text.Declare());
        public static readonly int CopyRows = PtxText.Add(text.CopyRows());
        public static readonly int CopyColumns = PtxText.Add(text.CopyColumns());
        public static readonly int NextTile = PtxText.Add(text.NextTile());
        public static readonly int Scores = PtxText.Add(text.Multiply("s", AttentionText.A));
        public static readonly int Hide = PtxText.Add(text.Hide(starts: false));
        public static readonly int HideStarts = PtxText.Add(text.Hide(starts: true));
        public static readonly int Softmax = PtxText.Add(text.Softmax());
        public static readonly int Drop = PtxText.Add(text.Drop());
        public static readonly int Pack = PtxText.Add(text.Pack("s"));
        public static readonly int AddValues = PtxText.Add(text.Add("o", AttentionText.B));
        public static readonly int Finish = PtxText.Add(text.Finish());
        public static readonly int Store = PtxText.Add(text.Store());
    }
}
