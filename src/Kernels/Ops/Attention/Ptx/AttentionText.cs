namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX that the attention kernels share: a warp's products on the tensor cores (<c>mma.sync</c>, compute capability
/// 8.0), and the copies and stores around them. The scheme is FlashAttention-2's (T. Dao, 2023): a warp keeps its rows,
/// and goes through tiles of columns that the whole group copies to shared memory.
/// </summary>
/// <remarks>
/// Rows are queries and columns keys, or the other way round where gradients of keys are summed. Rows and columns have
/// two operands each, A and B: q and dOut, or k and v. In shared memory an operand is panels of 64 elements of a head,
/// one line a token (<see cref="SharedTile"/>). There are two stages of columns: one is copied to while the other is
/// multiplied. A lane has the row <c>lane / 4</c> of its warp's and every 8th from there, and 2 neighbours of each
/// block of 8 columns. Registers:
/// <list type="bullet">
/// <item>s, t: tiles of scores. Element e = 0, 1 of row r and block c is number 4 (r / 2 * blocks + c) + 2 (r % 2) + e,
/// which is how the tensor cores leave sums.</item>
/// <item>p: such a tile in bf16. Its pairs lie where the tensor cores take a left operand from, so that nothing moves
/// between lanes.</item>
/// <item>o, u: sums over all columns, of rows of a head; numbered like s, with a block for 8 elements of the
/// head.</item>
/// <item>a, b: fragments of the left operand, and two sets of the right one, of which one is loaded while the other is
/// multiplied.</item>
/// <item>rows, direct, turned: the lane's places in shared memory for loading rows, columns, and columns
/// transposed.</item>
/// </list>
/// </remarks>
/// <param name="tile">What a warp computes.</param>
internal abstract class AttentionText(IAttentionTile tile)
{
    /// <summary>The first of two operands: q or k.</summary>
    public const int A = 0;

    /// <summary>The second: dOut or v.</summary>
    public const int B = 1;

    protected const string Zero = "0f00000000";

    private const int BlockBytes = 16 * SharedTile.LineBytes,
        LinesOfPass = AttentionShape.Threads / SharedTile.LineChunks;

    private readonly int headBlocks = tile.HeadSize / 8, panels = AttentionShape.Panels(tile),
        columns = AttentionShape.Columns(tile);
    private readonly int rowPanel = AttentionShape.RowPanelBytes(tile),
        columnPanel = AttentionShape.ColumnPanelBytes(tile);
    private PtxLines lines = new();

    /// <summary>Rows of which a lane has elements.</summary>
    protected int Rows => 2 * tile.RowBlocks;

    /// <summary>Blocks of columns.</summary>
    protected int Blocks => tile.ColumnBlocks;

    /// <summary>
    /// Declares the registers, <c>shared</c> among them, where dynamic shared memory starts, and clears the sums.
    /// </summary>
    public virtual PtxLines Declare()
    {
        Line(".reg .b32 shared");
        Line("mov.u32 shared, __dyn_shared_alloca");
        Line($"add.u32 shared, shared, {AttentionShape.SharedAlignment - 1}");
        Line($"and.b32 shared, shared, -{AttentionShape.SharedAlignment}");

        Line($".reg .f32 s<{2 * Rows * Blocks}>, t<{2 * Rows * Blocks}>, o<{2 * Rows * headBlocks}>, "
            + $"u<{2 * Rows * headBlocks}>, x, y, scale, kept");
        Line($".reg .b32 p<{Rows * Blocks}>, a<{2 * Rows}>, b<8>, rows, direct, turned, stage, place, word");
        Line(".reg .b32 write, strideA, strideB, limit0, limit1, size");
        Line(".reg .b64 address, step, fromA, fromB");
        Line(".reg .b32 ahead, left, key, keep, mine<2>, lane, shift");
        Line(".reg .pred yes");
        lines.AddEach(2 * Rows * headBlocks, i => $"mov.f32 o{i}, {Zero}")
            .AddEach(2 * Rows * headBlocks, i => $"mov.f32 u{i}, {Zero}");
        return Take();
    }

    /// <summary>
    /// Copies the group's rows of an operand: the thread's chunk of every 16th line, from <c>address</c> on,
    /// <c>step</c> bytes apart, to <c>write</c>. Lines from <c>limit0</c> on (in the second panel, from <c>limit1</c>
    /// on) become zeros.
    /// </summary>
    public PtxLines CopyRows()
    {
        for (int line = 0; line < AttentionShape.Rows(tile); line += LinesOfPass)
        {
            CopyLine(line, "address", 0, rowPanel);
            Line("add.s64 address, address, step");
        }

        return Take();
    }

    /// <summary>
    /// Copies a tile of columns of both operands in the same way, from <c>fromA</c> and <c>fromB</c>, whose tokens are
    /// <c>strideA</c> and <c>strideB</c> elements apart, and turns to the next.
    /// </summary>
    public PtxLines CopyColumns()
    {
        for (int line = 0; line < columns; line += LinesOfPass)
        {
            CopyLine(line, "fromA", A * panels, columnPanel);
            CopyLine(line, "fromB", B * panels, columnPanel);
            Line($"mad.wide.s32 fromA, strideA, {2 * LinesOfPass}, fromA");
            Line($"mad.wide.s32 fromB, strideB, {2 * LinesOfPass}, fromB");
        }

        lines.AddEach(panels, panel => $"sub.s32 limit{panel}, limit{panel}, {columns}");
        CopyNumbers();
        Line("cp.async.commit_group");
        return Take();
    }

    /// <summary>Copies the numbers that go with the columns.</summary>
    protected virtual void CopyNumbers() { }

    private void CopyLine(int line, string from, int firstPanel, int panelBytes)
    {
        for (int panel = 0; panel < panels; panel++)
        {
            Line($"setp.gt.s32 yes, limit{panel}, {line}");
            Line("selp.b32 size, 16, 0, yes");
            Line("cp.async.cg.shared.global "
                + $"[write+{(firstPanel + panel) * panelBytes + line * SharedTile.LineBytes}], "
                + $"[{from}+{panel * SharedTile.LineBytes}], 16, size");
        }
    }

    /// <summary>Turns to the other stage, for copying and for loading: it is <c>stage</c> bytes further.</summary>
    public PtxLines NextStage()
    {
        foreach (string place in StagePlaces)
            Line($"add.s32 {place}, {place}, stage");
        Line("neg.s32 stage, stage");
        return Take();
    }

    /// <summary>The registers that are places in a stage.</summary>
    protected virtual string[] StagePlaces => ["write", "direct", "turned"];

    /// <summary>
    /// <paramref name="scores"/> (rows, columns) = rows of an operand (rows, head) x columns of the same one (columns,
    /// head)^T.
    /// </summary>
    public PtxLines Multiply(string scores, int operand)
    {
        int pairs = Blocks / 2, steps = tile.HeadSize / 16;
        LoadRows(operand, 0);
        InPipeline(steps * pairs, LoadColumns, (i, set) =>
        {
            int step = i / pairs;
            MultiplyPair(scores, Blocks, i % pairs, set, "a", block => 4 * block, clear: step == 0);
            if (i % pairs == pairs - 1 && step + 1 < steps)
                LoadRows(operand, step + 1);
        });
        return Take();

        void LoadColumns(int i, int set)
        {
            int step = i / pairs, pair = i % pairs;
            Line($"xor.b32 place, direct, {32 * (step % 4)}");
            LoadFragments("b", 4 * set, (operand * panels + step / 4) * columnPanel + pair * BlockBytes, "");
        }
    }

    private void LoadRows(int operand, int step)
    {
        Line($"xor.b32 place, rows, {32 * (step % 4)}");
        for (int block = 0; block < tile.RowBlocks; block++)
            LoadFragments("a", 4 * block, (operand * panels + step / 4) * rowPanel + block * BlockBytes, "");
    }

    /// <summary>
    /// <paramref name="sums"/> (rows, head) += p (rows, columns) x columns of an operand (columns, head).
    /// </summary>
    public PtxLines AddProduct(string sums, int operand)
    {
        int pairs = headBlocks / 2;
        InPipeline(Blocks / 2 * pairs, LoadColumns, (i, set) =>
            MultiplyPair(
                sums, headBlocks, i % pairs, set, "p", block => 4 * (block * Blocks / 2 + i / pairs), clear: false));
        return Take();

        void LoadColumns(int i, int set)
        {
            int step = i / pairs, pair = i % pairs;
            Line($"xor.b32 place, turned, {32 * (pair % 4)}");
            LoadFragments("b", 4 * set, (operand * panels + pair / 4) * columnPanel + step * BlockBytes, ".trans");
        }
    }

    // A load comes before the product that is before its own, which hides the time that it takes.
    private static void InPipeline(int count, Action<int, int> load, Action<int, int> multiply)
    {
        load(0, 0);
        for (int i = 0; i < count; i++)
        {
            if (i + 1 < count)
                load(i + 1, (i + 1) % 2);
            multiply(i, i % 2);
        }
    }

    private void LoadFragments(string name, int first, int offset, string transposed) =>
        Line($"ldmatrix.sync.aligned.m8n8.x4{transposed}.shared.b16 {PtxLines.Vector(name, first, 4)}, "
        + $"[place+{offset}]");

    // All rows by two blocks of columns, 16 deep.
    private void MultiplyPair(
        string sums, int blocks, int pair, int set, string left, Func<int, int> firstLeft, bool clear)
    {
        for (int half = 0; half < 2; half++)
        {
            for (int block = 0; block < tile.RowBlocks; block++)
            {
                string c = PtxLines.Vector(sums, 4 * (block * blocks + 2 * pair + half), 4), before = clear
                    ? $"{{{Zero}, {Zero}, {Zero}, {Zero}}}" : c;
                string a = PtxLines.Vector(left, firstLeft(block), 4), b = PtxLines.Vector("b", 4 * set + 2 * half, 2);
                Line($"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {c}, {a}, {b}, {before}");
            }
        }
    }

    /// <summary>p = <paramref name="scores"/> in bf16.</summary>
    public PtxLines Pack(string scores)
    {
        lines.AddEach(Rows * Blocks, i => $"cvt.rn.bf16x2.f32 p{i}, {scores}{2 * i + 1}, {scores}{2 * i}");
        return Take();
    }

    /// <summary>
    /// Stores <paramref name="sums"/>, each row multiplied by its factor, as bf16. They pass through shared memory,
    /// where the warp's rows lay that nobody else reads: <c>place</c> is that of the lane's first row. Then lanes have
    /// whole chunks: that at <c>write</c> and those every 4 lines from there go to <c>address</c> and on, <c>step</c>
    /// bytes apart. Lines from <c>limit0</c> on (in the second panel, from <c>limit1</c> on) are not stored.
    /// </summary>
    protected PtxLines Store(string sums, Func<int, string> factor)
    {
        for (int block = 0; block < headBlocks; block++)
        {
            Line($"xor.b32 size, place, {16 * (block % 8)}");
            for (int row = 0; row < Rows; row++)
            {
                Line($"mul.f32 x, {Element(sums, headBlocks, row, block, 0)}, {factor(row)}");
                Line($"mul.f32 y, {Element(sums, headBlocks, row, block, 1)}, {factor(row)}");
                Line("cvt.rn.bf16x2.f32 word, y, x");
                Line($"st.shared.b32 [size+{block / 8 * rowPanel + 8 * row * SharedTile.LineBytes}], word");
            }
        }

        Line("bar.warp.sync 0xffffffff");
        for (int line = 0; line < 8 * Rows; line += 4)
        {
            Line($"xor.b32 size, write, {line % 8 * 16}");
            for (int panel = 0; panel < panels; panel++)
            {
                Line($"ld.shared.v4.b32 {PtxLines.Vector("b", 0, 4)}, "
                    + $"[size+{panel * rowPanel + line * SharedTile.LineBytes}]");
                Line($"setp.gt.s32 yes, limit{panel}, {line}");
                Line($"@yes st.global.v4.b32 [address+{panel * SharedTile.LineBytes}], {PtxLines.Vector("b", 0, 4)}");
            }

            Line("add.s64 address, address, step");
        }

        return Take();
    }

    private static string Element(string sums, int blocks, int row, int block, int element) =>
        $"{sums}{4 * (row / 2 * blocks + block) + 2 * (row % 2) + element}";

    /// <summary>An element of a tile of scores.</summary>
    protected string Score(string scores, int row, int block, int element) =>
        Element(scores, Blocks, row, block, element);

    /// <summary>Calls back for the lane's elements of a tile: row, block, element.</summary>
    protected void ForEachScore(Action<int, int, int> action)
    {
        for (int block = 0; block < Blocks; block++)
            ForEachScore(block, (row, element) => action(row, block, element));
    }

    /// <summary>Calls back for those of one block: row, element.</summary>
    protected void ForEachScore(int block, Action<int, int> action) =>
        ForEachElement(block, (row, _, element) => action(row, element));

    /// <summary>Multiplies the rows of the sums o by their factors.</summary>
    protected void MultiplyRows(Func<int, string> factor)
    {
        for (int i = 0; i < headBlocks; i++)
        {
            ForEachElement(i, (row, block, element) =>
            {
                string o = Element("o", headBlocks, row, block, element);
                Line($"mul.f32 {o}, {o}, {factor(row)}");
            });
        }
    }

    private void ForEachElement(int block, Action<int, int, int> action)
    {
        for (int row = 0; row < Rows; row++)
            for (int element = 0; element < 2; element++)
                action(row, block, element);
    }

    /// <summary>A single-precision number, by its bits.</summary>
    protected static string Literal(double value) => $"0f{BitConverter.SingleToUInt32Bits((float)value):X8}";

    /// <summary>Appends an instruction or a declaration.</summary>
    protected void Line(string instruction) => lines.Add(instruction);

    /// <summary>What was appended since the last time.</summary>
    protected PtxLines Take()
    {
        PtxLines taken = lines;
        lines = new PtxLines();
        return taken;
    }
}
