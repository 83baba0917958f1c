namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX that copies tiles of both operands to a ring of stages in shared memory (<c>cp.async</c>), as
/// <see cref="TileCopy"/> says. Chunks outside of an operand become zeros; beyond the depth all are, so that the last
/// tiles need no case of their own.
/// </summary>
/// <param name="tile">What a group computes.</param>
/// <param name="aKMajor">Layout of A.</param>
/// <param name="bKMajor">Layout of B.</param>
internal sealed class TileCopyText(IMatMulTile tile, bool aKMajor, bool bKMajor)
{
    private readonly int linesOfPass = MatMulShape.Threads(tile) / SharedTile.LineChunks;

    /// <summary>
    /// Declares the registers: <c>shared</c>, where dynamic shared memory starts; for A and B the fields of
    /// <see cref="TileCopy"/>; <c>write</c>, the thread's place in the next stage, and <c>writeEnd</c>, that in the
    /// stage after the last.
    /// </summary>
    public static void Declare(PtxLines lines)
    {
        foreach (char operand in "AB")
        {
            lines.Add($".reg .b64 global{operand}, lineStep{operand}, tileStep{operand}");
            lines.Add($".reg .b32 extent{operand}, depth{operand}, limit{operand}");
        }

        lines.Add(".reg .b64 source");
        lines.Add(".reg .b32 shared, write, writeEnd, size");
        lines.Add(".reg .pred inside, wraps");
        lines.Add("mov.u32 shared, __dyn_shared_alloca");
        lines.Add($"add.u32 shared, shared, {MatMulShape.SharedAlignment - 1}");
        lines.Add($"and.b32 shared, shared, -{MatMulShape.SharedAlignment}");
    }

    /// <summary>
    /// Copies a share of the next tile, so that other work can go between; with the last one turns to the next stage.
    /// </summary>
    public void Copy(PtxLines lines, int share, int shares)
    {
        int copiesOfA = tile.Rows / linesOfPass, copies = copiesOfA + tile.Columns / linesOfPass;
        for (int i = copies * share / shares; i < copies * (share + 1) / shares; i++)
        {
            if (i < copiesOfA)
                CopyLine(lines, "A", aKMajor, i, copiesOfA, 0);
            else
                CopyLine(lines, "B", bKMajor, i - copiesOfA, copies - copiesOfA, tile.Rows * SharedTile.LineBytes);
        }

        if (share < shares - 1)
            return;
        lines.Add("cp.async.commit_group");
        NextStage(lines, "write", "writeEnd");
    }

    /// <summary>Moves a place to the next stage of the ring; <c>wraps</c> says whether it is the first.</summary>
    public void NextStage(PtxLines lines, string place, string end)
    {
        lines.Add($"add.u32 {place}, {place}, {MatMulShape.StageBytes(tile)}");
        lines.Add($"setp.eq.u32 wraps, {place}, {end}");
        lines.Add($"@wraps sub.u32 {place}, {place}, {tile.Stages * MatMulShape.StageBytes(tile)}");
    }

    private void CopyLine(PtxLines lines, string operand, bool kMajor, int index, int count, int tilePlace)
    {
        int line = index * linesOfPass, lineOfPanel = kMajor ? line
            : line % SharedTile.Depth, panel = (line - lineOfPanel) / SharedTile.Depth;
        if (lineOfPanel == 0)
            StartPanel(lines, operand, kMajor, panel);
        else
            lines.Add($"add.s64 source, source, lineStep{operand}");

        lines.Add($"setp.gt.s32 inside, limit{operand}, {lineOfPanel}");
        lines.Add("selp.b32 size, 16, 0, inside");
        lines.Add($"cp.async.cg.shared.global [write+{tilePlace + line * SharedTile.LineBytes}], [source], 16, size");
        if (index < count - 1)
            return;
        lines.Add($"add.s64 global{operand}, global{operand}, tileStep{operand}");
        lines.Add($"sub.s32 depth{operand}, depth{operand}, {SharedTile.Depth}");
    }

    // Lines count rows of a K-major operand and depths of an MN-major one; the other of the two says whether the
    // thread's chunks of the panel are inside.
    private static void StartPanel(PtxLines lines, string operand, bool kMajor, int panel)
    {
        var (limit, chunk) = kMajor ? ("extent", "depth") : ("depth", "extent");
        lines.Add($"add.s64 source, global{operand}, {panel * SharedTile.LineBytes}");
        lines.Add($"setp.gt.s32 inside, {chunk}{operand}, {panel * SharedTile.Depth}");
        lines.Add($"selp.b32 limit{operand}, {limit}{operand}, 0, inside");
    }
}
