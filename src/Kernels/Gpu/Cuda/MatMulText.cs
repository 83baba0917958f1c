using System.Text;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of a matrix product on the tensor cores (<c>mma.sync</c>, compute capability 8.0): what a thread copies, loads and multiplies for a tile of the
/// depth. A pipeline of <see cref="Stages"/> tiles in shared memory hides the time of the copies (<c>cp.async</c>), a second set of fragments in registers
/// the time of the loads (<c>ldmatrix</c>). Sums stay in registers c0, c1, ... throughout.
/// </summary>
/// <param name="tile">What a group and a warp compute.</param>
/// <param name="aKMajor">Layout of A, whose rows are those of C.</param>
/// <param name="bKMajor">Layout of B, whose rows are the columns of C.</param>
internal sealed class MatMulText(IMatMulTile tile, bool aKMajor, bool bKMajor)
{
    /// <summary>Tiles of the depth in shared memory.</summary>
    public const int Stages = 3;

    private const int Steps = SharedTile.Depth / 16;

    private readonly int linesOfPass = MatMulShape.Threads(tile) / SharedTile.LineChunks;
    private readonly int rowBlocks = tile.WarpRows / 16, columnBlocks = tile.WarpColumns / 8;
    private readonly int bytesOfA = tile.Rows * SharedTile.LineBytes, stageBytes = MatMulShape.StageBytes(tile);
    private readonly StringBuilder text = new();

    /// <summary>Declares the registers, <c>shared</c> among them, where dynamic shared memory starts, and clears the sums.</summary>
    public string Declare()
    {
        Line(".reg .b32 shared");
        Line("mov.u32 shared, __dyn_shared_alloca");
        Line($"add.u32 shared, shared, {MatMulShape.SharedAlignment - 1}");
        Line($"and.b32 shared, shared, -{MatMulShape.SharedAlignment}");
        Line($".reg .f32 c<{4 * rowBlocks * columnBlocks}>");
        Line($".reg .b32 a<{8 * rowBlocks}>, b<{4 * columnBlocks}>");
        foreach (char name in "AB")
        {
            Line($".reg .b64 global{name}, lineStep{name}, tileStep{name}");
            Line($".reg .b32 read{name}, extent{name}, depth{name}, limit{name}");
        }

        Line(".reg .b64 source");
        Line(".reg .b32 write, writeEnd, readEnd, size, place");
        Line(".reg .pred inside, wraps");
        for (int i = 0; i < 4 * rowBlocks * columnBlocks; i++)
            Line($"mov.f32 c{i}, 0f00000000");
        return Take();
    }

    /// <summary>Copies the next tile of both operands to the stage at <c>write</c>, and turns to the one after.</summary>
    public string Copy()
    {
        for (int part = 0; part < Steps - 1; part++)
            CopyPart(part, Steps - 1);
        return Take();
    }

    /// <summary>Waits for the first tile and loads its first fragments.</summary>
    public string Start()
    {
        WaitForNextTile();
        LoadFragments(step: 0);
        return Take();
    }

    /// <summary>
    /// Multiplies the tile at <c>read</c>. On the way it copies the tile that comes <see cref="Stages"/> - 1 later to the place of the one before, which the last barrier
    /// declared read, and loads the first fragments of the next.
    /// </summary>
    public string Multiply()
    {
        for (int step = 0; step < Steps; step++)
        {
            if (step == Steps - 1)
            {
                WaitForNextTile();
                NextStage("readA", "readEnd");
                Line($"sub.u32 readB, readB, {stageBytes * (Stages - 1)}", "@wraps ");
                Line($"add.u32 readB, readB, {stageBytes}", "@!wraps ");
            }

            LoadFragments((step + 1) % Steps);
            if (step < Steps - 1)
                CopyPart(step, Steps - 1);
            for (int column = 0; column < columnBlocks; column++)
                for (int row = 0; row < rowBlocks; row++)
                    MultiplyBlock(step % 2, row, column);
        }

        return Take();
    }

    private void MultiplyBlock(int set, int row, int column)
    {
        string c = Registers("c", 4 * (row * columnBlocks + column), 4);
        string a = Registers("a", 4 * (set * rowBlocks + row), 4);
        string b = Registers("b", 2 * (set * columnBlocks + column), 2);
        Line($"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {c}, {a}, {b}, {c}");
    }

    private void LoadFragments(int step)
    {
        int set = step % 2;
        for (int block = 0; block < rowBlocks; block++)
            LoadFragment("readA", aKMajor, step, block, Registers("a", 4 * (set * rowBlocks + block), 4));
        for (int block = 0; block < columnBlocks / 2; block++)
            LoadFragment("readB", bKMajor, step, block, Registers("b", 4 * (set * columnBlocks / 2 + block), 4));
    }

    private void LoadFragment(string tileAddress, bool kMajor, int step, int block, string registers)
    {
        var (changed, further) = kMajor ? (step, block) : (block, step);
        Line($"xor.b32 place, {tileAddress}, {32 * changed}");
        Line($"ldmatrix.sync.aligned.m8n8.x4{(kMajor ? "" : ".trans")}.shared.b16 {registers}, [place+{2048 * further}]");
    }

    private void WaitForNextTile()
    {
        Line($"cp.async.wait_group {Stages - 2}");
        Line("bar.sync 0");
    }

    private void CopyPart(int part, int parts)
    {
        int copiesOfA = tile.Rows / linesOfPass, copies = copiesOfA + tile.Columns / linesOfPass;
        for (int i = copies * part / parts; i < copies * (part + 1) / parts; i++)
        {
            if (i < copiesOfA)
                CopyLines("A", aKMajor, i, copiesOfA, 0);
            else
                CopyLines("B", bKMajor, i - copiesOfA, copies - copiesOfA, bytesOfA);
        }

        if (part < parts - 1)
            return;
        Line("cp.async.commit_group");
        NextStage("write", "writeEnd");
    }

    // Copy number `index` of the thread: lines apart by those that the group copies at once. Chunks outside of the operand are filled with zeros.
    private void CopyLines(string operand, bool kMajor, int index, int count, int tilePlace)
    {
        int line = index * linesOfPass, lineOfPanel = kMajor ? line : line % SharedTile.Depth, panel = (line - lineOfPanel) / SharedTile.Depth;
        if (lineOfPanel == 0)
            StartPanel(operand, kMajor, panel);
        else
            Line($"add.s64 source, source, lineStep{operand}");

        Line($"setp.gt.s32 inside, limit{operand}, {lineOfPanel}");
        Line("selp.b32 size, 16, 0, inside");
        Line($"cp.async.cg.shared.global [write+{tilePlace + line * SharedTile.LineBytes}], [source], 16, size");
        if (index < count - 1)
            return;
        Line($"add.s64 global{operand}, global{operand}, tileStep{operand}");
        Line($"sub.s32 depth{operand}, depth{operand}, {SharedTile.Depth}");
    }

    // What counts lines is the extent of a K-major operand and the depth of an MN-major one; the other of the two decides about all lines of the panel.
    private void StartPanel(string operand, bool kMajor, int panel)
    {
        var (lines, chunk) = kMajor ? ("extent", "depth") : ("depth", "extent");
        Line($"add.s64 source, global{operand}, {panel * SharedTile.LineBytes}");
        Line($"setp.gt.s32 inside, {chunk}{operand}, {panel * SharedTile.Depth}");
        Line($"selp.b32 limit{operand}, {lines}{operand}, 0, inside");
    }

    private void NextStage(string place, string end)
    {
        Line($"add.u32 {place}, {place}, {stageBytes}");
        Line($"setp.eq.u32 wraps, {place}, {end}");
        Line($"sub.u32 {place}, {place}, {Stages * stageBytes}", "@wraps ");
    }

    private static string Registers(string name, int first, int count) =>
        $"{{{string.Join(", ", Enumerable.Range(first, count).Select(i => $"{name}{i}"))}}}";

    private void Line(string instruction, string guard = "") => text.Append(guard).Append(instruction).Append(";\n\t");

    private string Take()
    {
        string taken = text.ToString();
        text.Clear();
        return taken;
    }
}
