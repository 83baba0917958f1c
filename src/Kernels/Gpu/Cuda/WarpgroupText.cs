namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of a matrix product on the tensor cores of compute capability 9.0 (<c>wgmma</c>), which read both operands
/// from shared memory themselves. One thread tells the copy engine to bring tiles (<c>cp.async.bulk.tensor</c>); two
/// warpgroups multiply them. A stage of the ring has two mbarriers: one is passed when its tile has come, the other
/// when all warps have multiplied it. Sums stay in the registers c0, c1, ...: a warp's 16 rows, all columns of the
/// tile.
/// </summary>
/// <param name="tile">What a group computes; a warpgroup, 4 warps, 64 of its rows.</param>
/// <param name="aKMajor">Layout of A, whose rows are those of C.</param>
/// <param name="bKMajor">Layout of B, whose rows are the columns of C.</param>
internal sealed class WarpgroupText(IMatMulTile tile, bool aKMajor, bool bKMajor)
{
    /// <summary>Bytes of a stage's two mbarriers: its tile has come; it may be overwritten.</summary>
    public const int BarrierBytes = 16;

    private const int Steps = SharedTile.Depth / 16;
    private const int PanelBytes = SharedTile.Depth * SharedTile.LineBytes;

    private readonly int sums = tile.WarpRows * tile.WarpColumns / 32;

    /// <summary>
    /// Declares the registers: <c>shared</c>, where the ring starts; <c>barrier</c>, the first mbarrier of the next
    /// stage, <c>barrierEnd</c>, that of the stage after the last; <c>phase</c>, how often the ring has been gone
    /// round, modulo 2. For the copying thread: <c>write</c>, the next stage, the descriptions of the operands and what
    /// to copy of them next. For the others: <c>readA</c> and <c>readB</c>, the lower halves of the descriptors of what
    /// the warpgroup multiplies next, and whether the lane is its warp's first.
    /// </summary>
    public int Declare()
    {
        var lines = new PtxLines();
        lines.Add($".reg .f32 c<{sums}>");
        lines.Add(".reg .b32 shared, barrier, barrierEnd, phase, otherPhase, write, rowA, rowB, depth, row, readA, "
            + "readB, low, place, done");
        lines.Add(".reg .b64 mapA, mapB, matrixA, matrixB");
        lines.Add(".reg .pred adds, wraps, isFirst");
        lines.Add("mov.u32 shared, __dyn_shared_alloca");
        lines.Add($"add.u32 shared, shared, {MatMulShape.SharedAlignment - 1}");
        lines.Add($"and.b32 shared, shared, -{MatMulShape.SharedAlignment}");
        lines.Add("mov.b32 phase, 0");
        return lines.ToText();
    }

    /// <summary>Makes the mbarriers of all stages; for one thread.</summary>
    public int StartBarriers()
    {
        int warps = MatMulShape.Warps(tile);
        var lines = new PtxLines();
        for (int stage = 0; stage < tile.Stages; stage++)
        {
            lines.Add($"mbarrier.init.shared::cta.b64 [barrier+{BarrierBytes * stage}], 1");
            lines.Add($"mbarrier.init.shared::cta.b64 [barrier+{BarrierBytes * stage + 8}], {warps}");
        }

        return lines.Add("fence.proxy.async.shared::cta").ToText(); // the copy engine sees them
    }

    /// <summary>
    /// Has the next tile of both operands copied as soon as its stage is free; for one thread. Beyond an operand's ends
    /// come zeros.
    /// </summary>
    public int Copy()
    {
        var lines = new PtxLines();
        lines.Add("xor.b32 otherPhase, phase, 1");
        Wait(lines, "barrier+8", "otherPhase");
        lines.Add($"mbarrier.arrive.expect_tx.shared::cta.b64 _, [barrier], {MatMulShape.StageBytes(tile)}");
        for (int panel = 0; panel < tile.Rows / SharedTile.Depth; panel++)
            CopyPanel(lines, "A", aKMajor, panel, panel * PanelBytes);
        for (int panel = 0; panel < tile.Columns / SharedTile.Depth; panel++)
            CopyPanel(lines, "B", bKMajor, panel, tile.Rows * SharedTile.LineBytes + panel * PanelBytes);
        lines.Add($"add.u32 depth, depth, {SharedTile.Depth}");
        NextStage(lines);
        Step(lines, "write", MatMulShape.StageBytes(tile));
        return lines.ToText();
    }

    /// <summary>
    /// Starts the product of the next tile when it has come, and waits for that of the last one to be done, so that its
    /// stage can be filled again.
    /// </summary>
    /// <param name="isFirst">Whether the sums start here and no product is under way.</param>
    public int Multiply(bool isFirst)
    {
        var lines = new PtxLines();
        Wait(lines, "barrier", "phase");
        lines.Add("wgmma.fence.sync.aligned");
        lines.Add($"setp.{(isFirst ? "ne" : "eq")}.u32 adds, 0, 0");
        for (int step = 0; step < Steps; step++)
        {
            MultiplyStep(lines, step);
            if (isFirst && step == 0)
                lines.Add("setp.eq.u32 adds, 0, 0");
        }

        lines.Add("wgmma.commit_group.sync.aligned");
        if (!isFirst)
        {
            lines.Add("wgmma.wait_group.sync.aligned 1");
            Release(lines);
        }

        lines.Add("add.u32 done, barrier, 8");
        NextStage(lines);
        Step(lines, "readA", SharedTile.DescriptorStep(MatMulShape.StageBytes(tile)));
        Step(lines, "readB", SharedTile.DescriptorStep(MatMulShape.StageBytes(tile)));
        return lines.ToText();
    }

    /// <summary>Waits for the last product.</summary>
    public static int Finish()
    {
        var lines = new PtxLines().Add("wgmma.wait_group.sync.aligned 0");
        Release(lines);
        return lines.ToText();
    }

    private static void Wait(PtxLines lines, string barrier, string phase) => lines
        .Open()
        .Add(".reg .pred passed")
        .Add($"WAIT: mbarrier.try_wait.parity.shared::cta.b64 passed, [{barrier}], {phase}")
        .Add("@!passed bra WAIT")
        .Close();

    private static void Release(PtxLines lines) => lines.Add("@isFirst mbarrier.arrive.shared::cta.b64 _, [done]");

    private static void CopyPanel(PtxLines lines, string operand, bool kMajor, int panel, int place)
    {
        lines.Add($"add.u32 row, row{operand}, {panel * SharedTile.Depth}");
        lines.Add($"add.u32 place, write, {place}");
        lines.Add(
            "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes " +
            $"[place], [map{operand}, {{{(kMajor ? "depth, row" : "row, depth")}}}], [barrier]");
    }

    private void NextStage(PtxLines lines) => lines
        .Add($"add.u32 barrier, barrier, {BarrierBytes}")
        .Add("setp.eq.u32 wraps, barrier, barrierEnd")
        .Add($"@wraps sub.u32 barrier, barrier, {tile.Stages * BarrierBytes}")
        .Add("@wraps xor.b32 phase, phase, 1");

    private void Step(PtxLines lines, string place, int stage) => lines
        .Add($"add.u32 {place}, {place}, {stage}")
        .Add($"@wraps sub.u32 {place}, {place}, {tile.Stages * stage}");

    private void MultiplyStep(PtxLines lines, int step)
    {
        Descriptor(lines, "A", aKMajor, step);
        Descriptor(lines, "B", bKMajor, step);
        lines.Add(
            $"wgmma.mma_async.sync.aligned.m64n{tile.Columns}k16.f32.bf16.bf16 {PtxLines.Vector("c", 0, sums)}, " +
            $"matrixA, matrixB, adds, 1, 1, {(aKMajor ? 0 : 1)}, {(bKMajor ? 0 : 1)}");
    }

    private static void Descriptor(PtxLines lines, string operand, bool kMajor, int step)
    {
        lines.Add($"add.u32 low, read{operand}, {SharedTile.DescriptorStep(step * SharedTile.BytesOfStep(kMajor))}");
        lines.Add($"mov.b64 matrix{operand}, {{low, {SharedTile.DescriptorHigh}}}");
    }
}
