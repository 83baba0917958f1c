namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of a matrix product on the tensor cores of compute capability 8.0 (<c>mma.sync</c>): what a thread copies,
/// loads and multiplies for a tile of the depth. Stages in shared memory hide the time of the copies, a second set of
/// fragments in registers that of the loads (<c>ldmatrix</c>). Sums stay in the registers c0, c1, ... throughout.
/// </summary>
/// <param name="tile">What a group and a warp compute.</param>
/// <param name="aKMajor">Layout of A, whose rows are those of C.</param>
/// <param name="bKMajor">Layout of B, whose rows are the columns of C.</param>
internal sealed class MatMulText(IMatMulTile tile, bool aKMajor, bool bKMajor)
{
    private const int Steps = SharedTile.Depth / 16;

    private readonly TileCopyText copy = new(tile, aKMajor, bKMajor);
    private readonly int rowBlocks = tile.WarpRows / 16, columnBlocks = tile.WarpColumns / 8;

    /// <summary>
    /// Declares the registers and clears the sums. <c>readA</c> and <c>readB</c> are the lane's places in the tile to
    /// be multiplied next.
    /// </summary>
    public int Declare()
    {
        int sums = 4 * rowBlocks * columnBlocks;
        var lines = new PtxLines();
        TileCopyText.Declare(lines);
        lines.Add($".reg .f32 c<{sums}>");
        lines.Add($".reg .b32 a<{8 * rowBlocks}>, b<{4 * columnBlocks}>, readA, readB, readEnd, place");
        return lines.AddEach(sums, i => $"mov.f32 c{i}, 0f00000000").ToText();
    }

    /// <summary>Copies the next tile.</summary>
    public int Copy()
    {
        var lines = new PtxLines();
        copy.Copy(lines, 0, 1);
        return lines.ToText();
    }

    /// <summary>Waits for the first tile and loads its first fragments.</summary>
    public int Start()
    {
        var lines = new PtxLines();
        WaitForNextTile(lines);
        LoadFragments(lines, step: 0);
        return lines.ToText();
    }

    /// <summary>
    /// Multiplies a tile. Meanwhile the one that comes Stages - 1 later is copied to the place of the one before, which
    /// all warps have read, as the last barrier says; and the first fragments of the next one are loaded.
    /// </summary>
    public int Multiply()
    {
        var lines = new PtxLines();
        for (int step = 0; step < Steps; step++)
        {
            if (step == Steps - 1)
            {
                WaitForNextTile(lines);
                NextTile(lines);
            }

            LoadFragments(lines, (step + 1) % Steps);
            if (step < Steps - 1)
                copy.Copy(lines, step, Steps - 1);
            for (int column = 0; column < columnBlocks; column++)
                for (int row = 0; row < rowBlocks; row++)
                    MultiplyBlock(lines, step % 2, row, column);
        }

        return lines.ToText();
    }

    private void WaitForNextTile(PtxLines lines) =>
        lines.Add($"cp.async.wait_group {tile.Stages - 2}").Add("bar.sync 0");

    private void NextTile(PtxLines lines)
    {
        copy.NextStage(lines, "readA", "readEnd");
        lines.Add($"@wraps sub.u32 readB, readB, {(tile.Stages - 1) * MatMulShape.StageBytes(tile)}");
        lines.Add($"@!wraps add.u32 readB, readB, {MatMulShape.StageBytes(tile)}");
    }

    private void LoadFragments(PtxLines lines, int step)
    {
        int set = step % 2;
        for (int block = 0; block < rowBlocks; block++)
            LoadFragment(lines, "readA", aKMajor, step, block, PtxLines.Vector("a", 4 * (set * rowBlocks + block), 4));
        for (int block = 0; block < columnBlocks / 2; block++)
        {
            LoadFragment(
                lines, "readB", bKMajor, step, block, PtxLines.Vector("b", 4 * (set * columnBlocks / 2 + block), 4));
        }
    }

    private static void LoadFragment(
        PtxLines lines, string tilePlace, bool kMajor, int step, int block, string registers)
    {
        var (changed, further) = kMajor ? (step, block) : (block, step);
        lines.Add($"xor.b32 place, {tilePlace}, {32 * changed}");
        lines.Add($"ldmatrix.sync.aligned.m8n8.x4{(kMajor ? "" : ".trans")}.shared.b16 {registers}, "
            + $"[place+{2048 * further}]");
    }

    private void MultiplyBlock(PtxLines lines, int set, int row, int column)
    {
        string c = PtxLines.Vector("c", 4 * (row * columnBlocks + column), 4);
        string a = PtxLines.Vector("a", 4 * (set * rowBlocks + row), 4),
            b = PtxLines.Vector("b", 2 * (set * columnBlocks + column), 2);
        lines.Add($"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {c}, {a}, {b}, {c}");
    }
}
