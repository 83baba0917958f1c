using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Attention of bf16 tensors on NVIDIA's tensor cores, compute capability 8.0 and up; see <see cref="AttentionText"/>
/// for the scheme and <see cref="AttentionPlan"/> for the launches. Sums are single precision and in an order that
/// depends on the sizes alone.
/// </summary>
internal static partial class TensorCoreAttention
{
    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80,
        DynamicSharedBytes = 49152 + AttentionShape.SharedAlignment)]
    internal static void Forward32(AttentionArguments a) => Forward<ForwardTile32>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80,
        DynamicSharedBytes = 49152 + AttentionShape.SharedAlignment)]
    internal static void Forward64(AttentionArguments a) => Forward<ForwardTile64>(a);

    [Kernel(AttentionShape.Threads, Hot = true, ComputeCapability = 80,
        DynamicSharedBytes = 65536 + AttentionShape.SharedAlignment)]
    internal static void Forward128(AttentionArguments a) => Forward<ForwardTile128>(a);

    // A group's queries of one head, against the tiles of keys that they see.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Forward<TTile>(AttentionArguments a)
        where TTile : struct, IAttentionTile
    {
        TTile tile = default;
        int columns = AttentionShape.Columns(tile);
        var queries = QueryBlock.Of(tile, a);
        SharedMemory.GetDynamic<int>(); // declares __dyn_shared_alloca
        PtxText.Emit(Text<TTile>.Declare);
        StartRows(a.Q, queries.Batch, queries.Head, queries.First, a.Queries, a.HeadSize, 0);
        PtxText.Emit(Text<TTile>.CopyRows);
        int key = FirstTile(queries, columns);
        StartStages(tile, AttentionShape.RowBytes(tile), AttentionShape.TileBytes(tile));
        StartColumns(a.K, a.V, queries.Batch, queries.KeyHead, key, queries.KeyEnd, a.HeadSize);
        PtxText.Emit(Text<TTile>.CopyColumns);
        PtxText.Emit(Text<TTile>.NextStage);
        CudaAsm.Emit("mov.f32 scale, %0; mov.f32 kept, %1;", a.ScaleLog2, a.Kept);

        for (; key < queries.KeyEnd; key += columns)
        {
            WaitForCopies();
            if (key + columns < queries.KeyEnd)
                PtxText.Emit(Text<TTile>.CopyColumns);
            PtxText.Emit(Text<TTile>.NextStage);
            if (queries.WarpSees(tile, key))
                AddTile(tile, a, queries, key);
        }

        WaitForCopies();
        int left = a.Queries - queries.WarpFirst - SharedTile.SumRow(Lane);
        CudaAsm.Emit(
            "mov.b64 logSumExp, %0; mov.b32 left, %1;",
            a.LogSumExp + 4 * ((long)(queries.Batch * a.Heads + queries.Head + 1) * a.Queries - left),
            SharedTile.SumColumn(Lane) == 0 ? left : 0);
        PtxText.Emit(Text<TTile>.Finish);
        StartStore(tile, a.Output, queries.Batch, queries.Head, queries.WarpFirst, a.Queries, a.HeadSize, 0);
        PtxText.Emit(Text<TTile>.Store);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTile<TTile>(TTile tile, in AttentionArguments a, in QueryBlock queries, int key)
        where TTile : struct, IAttentionTile
    {
        // Draws come first: they take registers that scores are in later.
        if (a.State != 0)
            DrawForQueries(tile, a, queries, key);
        PtxText.Emit(Text<TTile>.Scores);
        if (a.Starts != 0)
        {
            StartHide(a, queries, key);
            PtxText.Emit(Text<TTile>.HideStarts);
        }
        else if (!queries.WarpSeesAll(tile, key))
        {
            StartHide(a, queries, key);
            PtxText.Emit(Text<TTile>.Hide);
        }

        PtxText.Emit(Text<TTile>.Softmax);
        if (a.State != 0)
            PtxText.Emit(Text<TTile>.Drop);
        PtxText.Emit(Text<TTile>.Pack);
        PtxText.Emit(Text<TTile>.AddValues);
    }

    private static class Text<TTile>
        where TTile : struct, IAttentionTile
    {
        private static readonly AttentionForwardText text = new(default(TTile));

        public static readonly int Declare = text.Declare().ToText();
        public static readonly int CopyRows = text.CopyRows().ToText();
        public static readonly int CopyColumns = text.CopyColumns().ToText();
        public static readonly int NextStage = text.NextStage().ToText();
        public static readonly int Scores = text.Multiply("s", AttentionText.A).ToText();
        public static readonly int Hide = text.Hide(starts: false).ToText();
        public static readonly int HideStarts = text.Hide(starts: true).ToText();
        public static readonly int Softmax = text.Softmax().ToText();
        public static readonly int Drop = text.Drop().ToText();
        public static readonly int Pack = text.Pack("s").ToText();
        public static readonly int AddValues = text.AddProduct("o", AttentionText.B).ToText();
        public static readonly int Finish = text.Finish().ToText();
        public static readonly int Store = text.Store().ToText();
    }
}
