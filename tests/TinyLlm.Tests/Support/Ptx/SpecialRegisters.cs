namespace TinyLlm.Tests.Support.Ptx;

/// <summary>The special registers that do not change while a thread runs.</summary>
internal static class SpecialRegisters
{
    public static Func<PtxThread, ulong>? Find(string name) => name switch
    {
        "%tid.x" => t => (ulong)t.Index.X,
        "%tid.y" => t => (ulong)t.Index.Y,
        "%tid.z" => t => (ulong)t.Index.Z,
        "%ntid.x" => t => (ulong)t.Block.Launch.Block.X,
        "%ntid.y" => t => (ulong)t.Block.Launch.Block.Y,
        "%ntid.z" => t => (ulong)t.Block.Launch.Block.Z,
        "%ctaid.x" => t => (ulong)t.Block.Index.X,
        "%ctaid.y" => t => (ulong)t.Block.Index.Y,
        "%ctaid.z" => t => (ulong)t.Block.Index.Z,
        "%nctaid.x" => t => (ulong)t.Block.Launch.Grid.X,
        "%nctaid.y" => t => (ulong)t.Block.Launch.Grid.Y,
        "%nctaid.z" => t => (ulong)t.Block.Launch.Grid.Z,
        "%laneid" => t => (ulong)t.Lane,
        "%warpid" => t => (ulong)t.Warp.Index,
        "%nwarpid" => t => (ulong)((t.Block.Launch.Block.Count + PtxWarp.Size - 1) / PtxWarp.Size),
        "%smid" => _ => 0,
        "%nsmid" => _ => 1,
        "%gridid" => _ => 1,
        "%dynamic_smem_size" => t => (ulong)t.Block.Launch.DynamicSharedBytes,
        "%total_smem_size" => t => (ulong)(t.Block.Launch.SharedEnd - PtxModule.FirstShared),
        "%lanemask_eq" => t => 1ul << t.Lane,
        "%lanemask_lt" => t => (1ul << t.Lane) - 1,
        "%lanemask_le" => t => (2ul << t.Lane) - 1,
        "%lanemask_gt" => t => uint.MaxValue & ~((2ul << t.Lane) - 1),
        "%lanemask_ge" => t => uint.MaxValue & ~((1ul << t.Lane) - 1),
        "%cluster_ctarank" or "%cluster_ctaid.x" or "%cluster_ctaid.y" or "%cluster_ctaid.z" => _ => 0,
        "%cluster_nctarank" or "%cluster_nctaid.x" or "%cluster_nctaid.y" or "%cluster_nctaid.z" => _ => 1,
        "WARP_SZ" => _ => PtxWarp.Size,
        _ => null,
    };
}
