namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of a matrix product on the tensor cores of compute capability 9.0 (<c>wgmma</c>), which read both operands from shared memory themselves while the warps
/// that told them to copy further tiles. The product of one tile is still under way when that of the next is started. Sums stay in the registers c0, c1, ...
/// throughout: as <c>mma</c> has them, a warp's 16 rows and all columns of the tile.
/// </summary>
/// <param name="tile">What a group computes; a warpgroup, 4 warps, 64 of its rows.</param>
/// <param name="aKMajor">Layout of A, whose rows are those of C.</param>
/// <param name="bKMajor">Layout of B, whose rows are the columns of C.</param>
internal sealed class WarpgroupText(IMatMulTile tile, bool aKMajor, bool bKMajor)
{
    private const int Steps = SharedTile.Depth / 16;

    private readonly TileCopyText copy = new(tile, aKMajor, bKMajor);
    private readonly int sums = tile.WarpRows * tile.WarpColumns / 32;

    /// <summary>
    /// Declares the registers and clears the sums. <c>readA</c> and <c>readB</c> are the lower halves of the descriptors of what the warpgroup multiplies next.
    /// </summary>
    public int Declare()
    {
        var lines = new PtxLines();
        TileCopyText.Declare(lines);
        lines.Add($".reg .f32 c<{sums}>");
        lines.Add(".reg .b32 readA, readB, readEnd, low, place");
        lines.Add(".reg .b64 matrixA, matrixB");
        lines.Add(".reg .pred adds");
        lines.Add("setp.eq.u32 adds, 0, 0");
        return lines.AddEach(sums, i => $"mov.f32 c{i}, 0f00000000").ToText();
    }

    /// <summary>Copies the next tile.</summary>
    public int Copy()
    {
        var lines = new PtxLines();
        copy.Copy(lines, 0, 1);
        return lines.ToText();
    }

    /// <summary>
    /// Starts the product of a tile, copies the one that comes Stages - 2 later to the place of the one before the last, which all warpgroups have multiplied, as the
    /// barrier says, and waits for the product of the last.
    /// </summary>
    public int Multiply()
    {
        var lines = new PtxLines();
        lines.Add($"cp.async.wait_group {tile.Stages - 3}");
        lines.Add("fence.proxy.async.shared::cta"); // the tensor cores see what the copies wrote
        lines.Add("bar.sync 0");
        lines.Add("wgmma.fence.sync.aligned");
        for (int step = 0; step < Steps; step++)
            MultiplyStep(lines, step);
        lines.Add("wgmma.commit_group.sync.aligned");
        copy.Copy(lines, 0, 1);
        lines.Add("wgmma.wait_group.sync.aligned 1");

        int stage = SharedTile.DescriptorStep(MatMulShape.StageBytes(tile));
        lines.Add($"add.u32 readA, readA, {stage}").Add($"add.u32 readB, readB, {stage}");
        lines.Add("setp.eq.u32 wraps, readA, readEnd");
        lines.Add($"@wraps sub.u32 readA, readA, {tile.Stages * stage}").Add($"@wraps sub.u32 readB, readB, {tile.Stages * stage}");
        return lines.ToText();
    }

    /// <summary>Waits for the last product.</summary>
    public static int Finish() => new PtxLines().Add("wgmma.wait_group.sync.aligned 0").ToText();

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
