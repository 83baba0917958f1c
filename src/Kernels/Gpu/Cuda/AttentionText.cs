using System.Text;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX that the attention kernels share: a warp's products on the tensor cores (<c>mma.sync</c>, compute capability 8.0), and the copies and stores around them.
/// The scheme is FlashAttention-2's (T. Dao, 2023): a warp keeps its rows, and goes through tiles of columns that the whole group copies to shared memory.
/// </summary>
/// <remarks>
/// Rows are queries and columns keys, or the other way round where keys' gradients are summed. There are two operands of each, A and B: q and dOut, or k and v.
/// In shared memory an operand is panels of 64 elements of a head, one line a token (<see cref="SharedTile"/>); the columns lie there twice, so that one
/// tile can be copied while another is multiplied. A lane's rows are <c>lane / 4</c> of its warp's, and every 8th from there; it has 2 neighbours of each block of 8 columns.
/// <list type="bullet">
/// <item>s, t: tiles of scores. Element e = 0, 1 of row r and block c is number 4 (r / 2 * blocks + c) + 2 (r % 2) + e, which is how the tensor cores leave sums.</item>
/// <item>p: such a tile in bf16. Pairs of sums lie where the tensor cores take a left operand from, so nothing moves between lanes.</item>
/// <item>o, u: sums over the columns, of rows of a head, numbered as s with a block for 8 elements of the head.</item>
/// <item>a, b: two sets of fragments of the left and of the right operand: one is loaded while the other is multiplied.</item>
/// <item>rows, direct, turned: the lane's places in shared memory for loading rows, columns, and columns transposed.</item>
/// </list>
/// </remarks>
/// <param name="tile">What a warp computes.</param>
internal abstract class AttentionText(IAttentionTile tile)
{
    /// <summary>The first operand: q, where rows are queries.</summary>
    public const int A = 0;

    /// <summary>The second: dOut, where rows are queries.</summary>
    public const int B = 1;

    protected const string Zero = "0f00000000", One = "0f3F800000";

    private const int BlockBytes = 16 * SharedTile.LineBytes, LinesOfPass = AttentionShape.Threads / SharedTile.LineChunks;

    private readonly StringBuilder text = new();
    private readonly int headBlocks = tile.HeadSize / 8, panels = AttentionShape.Panels(tile), columns = AttentionShape.Columns(tile);
    private readonly int rowPanel = AttentionShape.RowPanelBytes(tile), columnPanel = AttentionShape.ColumnPanelBytes(tile);

    /// <summary>Rows of which a lane has elements.</summary>
    protected int Rows => 2 * tile.RowBlocks;

    /// <summary>Blocks of columns.</summary>
    protected int Blocks => tile.ColumnBlocks;

    /// <summary>Declares the registers, <c>shared</c> among them, where dynamic shared memory starts, and clears the sums.</summary>
    public virtual string Declare()
    {
        Line(".reg .b32 shared");
        Line("mov.u32 shared, __dyn_shared_alloca");
        Line($"add.u32 shared, shared, {AttentionShape.SharedAlignment - 1}");
        Line($"and.b32 shared, shared, -{AttentionShape.SharedAlignment}");
        Line($".reg .f32 s<{2 * Rows * Blocks}>, t<{2 * Rows * Blocks}>, o<{2 * Rows * headBlocks}>, u<{2 * Rows * headBlocks}>, x, y, scale, kept");
        Line($".reg .b32 p<{Rows * Blocks}>, a<{4 * Rows}>, b<8>, rows, direct, turned, stage, place, word");
        Line(".reg .b64 address, step, fromA, fromB");
        Line(".reg .b32 write, strideA, strideB, limit0, limit1, size");
        Line(".reg .b32 ahead, left, key, lane, shift, mine<2>");
        Line(".reg .pred yes");
        for (int i = 0; i < 2 * Rows * headBlocks; i++)
        {
            Line($"mov.f32 o{i}, {Zero}");
            Line($"mov.f32 u{i}, {Zero}");
        }

        return Take();
    }

    /// <summary>
    /// Copies the group's rows of an operand: the thread's chunk of every 16th line, from <c>address</c> on, <c>step</c> bytes apart, to <c>write</c>. Lines from
    /// <c>limit0</c> on (in the second panel, from <c>limit1</c> on) become zeros.
    /// </summary>
    public string CopyRows()
    {
        for (int line = 0; line < AttentionShape.Rows(tile); line += LinesOfPass)
        {
            CopyLine(line, "address", rowPanel, 0);
            Line("add.s64 address, address, step");
        }

        return Take();
    }

    /// <summary>Copies the next tile of both operands' columns in the same way, from <c>fromA</c> and <c>fromB</c>, whose tokens are <c>strideA</c> and <c>strideB</c> elements apart.</summary>
    public string CopyColumns()
    {
        for (int line = 0; line < columns; line += LinesOfPass)
        {
            CopyLine(line, "fromA", columnPanel, 0);
            CopyLine(line, "fromB", columnPanel, panels * columnPanel);
            Line($"mad.wide.s32 fromA, strideA, {2 * LinesOfPass}, fromA");
            Line($"mad.wide.s32 fromB, strideB, {2 * LinesOfPass}, fromB");
        }

        CopyMore();
        Line("cp.async.commit_group");
        for (int panel = 0; panel < panels; panel++)
            Line($"sub.s32 limit{panel}, limit{panel}, {columns}");
        return Take();
    }

    /// <summary>What else is copied with a tile of columns.</summary>
    protected virtual void CopyMore() { }

    private void CopyLine(int line, string from, int panelBytes, int operand)
    {
        for (int panel = 0; panel < panels; panel++)
        {
            Line($"setp.gt.s32 yes, limit{panel}, {line}");
            Line("selp.b32 size, 16, 0, yes");
            Line($"cp.async.cg.shared.global [write+{operand + panel * panelBytes + line * SharedTile.LineBytes}], [{from}+{panel * SharedTile.LineBytes}], 16, size");
        }
    }

    /// <summary>Turns to the other of the two places of tiles, for copying and for loading; <c>stage</c> is how far off it is.</summary>
    public string NextTile()
    {
        foreach (string moved in Staged)
            Line($"add.s32 {moved}, {moved}, stage");
        Line("neg.s32 stage, stage");
        return Take();
    }

    /// <summary>Registers that are places in a tile.</summary>
    protected virtual IEnumerable<string> Staged => ["write", "direct", "turned"];

    /// <summary><paramref name="scores"/> (rows, columns) = rows of an operand (rows, head) x columns of the same (columns, head)^T.</summary>
    public string Multiply(string scores, int operand)
    {
        int pairs = Blocks / 2;
        LoadA(0);
        InPipeline(tile.HeadSize / 16 * pairs, Load, (i, set) =>
        {
            int step = i / pairs;
            MultiplyPair(scores, Blocks, i % pairs, set, block => Registers("a", 2 * Rows * (step % 2) + 4 * block, 4), clear: step == 0);
            if (i % pairs == pairs - 1 && step + 1 < tile.HeadSize / 16)
                LoadA(step + 1);
        });
        return Take();

        void LoadA(int step)
        {
            int panel = step / 4;
                Line($"xor.b32 place, rows, {32 * (step % 4)}");
                for (int block = 0; block < tile.RowBlocks; block++)
                    LoadFragments("a", 2 * Rows * (step % 2) + 4 * block, (operand * panels + panel) * rowPanel + block * BlockBytes, "");
        }

        void Load(int i, int set)
        {
            int step = i / pairs, pair = i % pairs, panel = step / 4;
            Line($"xor.b32 place, direct, {32 * (step % 4)}");
            LoadFragments("b", 4 * set, (operand * panels + panel) * columnPanel + pair * BlockBytes, "");
        }
    }

    /// <summary><paramref name="sums"/> (rows, head) += p (rows, columns) x columns of an operand (columns, head).</summary>
    public string Add(string sums, int operand)
    {
        int pairs = headBlocks / 2;
        InPipeline(Blocks / 2 * pairs, Load, (i, set) =>
            MultiplyPair(sums, headBlocks, i % pairs, set, block => Registers("p", 4 * (block * Blocks / 2 + i / pairs), 4), clear: false));
        return Take();

        void Load(int i, int set)
        {
            int step = i / pairs, pair = i % pairs, panel = pair / 4;
            Line($"xor.b32 place, turned, {32 * (pair % 4)}");
            LoadFragments("b", 4 * set, (operand * panels + panel) * columnPanel + step * BlockBytes, ".trans");
        }
    }

    // Each load comes before the product before the one that it is for, which hides the time that it takes.
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
        Line($"ldmatrix.sync.aligned.m8n8.x4{transposed}.shared.b16 {Registers(name, first, 4)}, [place+{offset}]");

    // All rows by two blocks of columns, 16 deep.
    private void MultiplyPair(string sums, int blocks, int pair, int set, Func<int, string> a, bool clear)
    {
        for (int half = 0; half < 2; half++)
        {
            for (int block = 0; block < tile.RowBlocks; block++)
            {
                string c = Registers(sums, 4 * (block * blocks + 2 * pair + half), 4), before = clear ? $"{{{Zero}, {Zero}, {Zero}, {Zero}}}" : c;
                Line($"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {c}, {a(block)}, {Registers("b", 4 * set + 2 * half, 2)}, {before}");
            }
        }
    }

    /// <summary>p = <paramref name="scores"/> in bf16.</summary>
    public string Pack(string scores)
    {
        for (int i = 0; i < Rows * Blocks; i++)
            Line($"cvt.rn.bf16x2.f32 p{i}, {scores}{2 * i + 1}, {scores}{2 * i}");
        return Take();
    }

    /// <summary>
    /// Stores <paramref name="sums"/>, each row multiplied by its factor, as bf16. They pass through shared memory, where the warp's rows lay that nobody else reads: <c>place</c> is
    /// that of the lane's first row. Then lanes have whole chunks: that at <c>write</c> and those 4 lines apart go to <c>address</c> and on, <c>step</c> bytes apart.
    /// Lines from <c>limit0</c> on (in the second panel, from <c>limit1</c> on) are not stored.
    /// </summary>
    protected string Store(string sums, Func<int, string> factor)
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
                Line($"ld.shared.v4.b32 {Registers("b", 0, 4)}, [size+{panel * rowPanel + line * SharedTile.LineBytes}]");
                Line($"setp.gt.s32 yes, limit{panel}, {line}");
                Line($"@yes st.global.v4.b32 [address+{panel * SharedTile.LineBytes}], {Registers("b", 0, 4)}");
            }

            Line("add.s64 address, address, step");
        }

        return Take();
    }

    private static string Element(string sums, int blocks, int row, int block, int element) => $"{sums}{4 * (row / 2 * blocks + block) + 2 * (row % 2) + element}";

    /// <summary>An element of a tile of scores.</summary>
    protected string Score(string scores, int row, int block, int element) => Element(scores, Blocks, row, block, element);

    /// <summary>Calls back for each element of the lane's: row, block, element.</summary>
    protected void ForEachScore(Action<int, int, int> action)
    {
        for (int block = 0; block < Blocks; block++)
            for (int row = 0; row < Rows; row++)
                for (int element = 0; element < 2; element++)
                    action(row, block, element);
    }

    /// <summary>Multiplies the rows of the sums o by their factors.</summary>
    protected void MultiplyRows(Func<int, string> factor)
    {
        for (int block = 0; block < headBlocks; block++)
        {
            for (int row = 0; row < Rows; row++)
            {
                for (int element = 0; element < 2; element++)
                {
                    string o = Element("o", headBlocks, row, block, element);
                    Line($"mul.f32 {o}, {o}, {factor(row)}");
                }
            }
        }
    }

    private static string Registers(string name, int first, int count) =>
        $"{{{string.Join(", ", Enumerable.Range(first, count).Select(i => $"{name}{i}"))}}}";

    /// <summary>A single-precision number, by its bits.</summary>
    protected static string Literal(double value) => $"0f{BitConverter.SingleToUInt32Bits((float)value):X8}";

    /// <summary>Appends a statement.</summary>
    protected void Line(string statement) => text.Append(statement).Append(";\n\t");

    /// <summary>Returns the text so far, and begins a new one.</summary>
    protected string Take()
    {
        string taken = text.ToString();
        text.Clear();
        return taken;
    }
}
