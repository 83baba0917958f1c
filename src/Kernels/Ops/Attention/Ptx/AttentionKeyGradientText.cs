namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of keys' and values' gradients. Scores are transposed: rows are keys and columns queries, whose numbers
/// (<see cref="AttentionShape.Numbers"/>) are copied along with them.
/// </summary>
/// <param name="tile">What a warp computes.</param>
internal sealed class AttentionKeyGradientText(IAttentionTile tile) : AttentionText(tile)
{
    private const double Log2E = 1.4426950408889634;

    private readonly int columns = AttentionShape.Columns(tile);

    /// <summary>
    /// Declares as well: numbers, the place of those of the lane's first column; first, the first keys that the two
    /// columns of a block see; and what a thread copies of the numbers.
    /// </summary>
    public override PtxLines Declare()
    {
        Line(".reg .b32 first<2>, numbers, writeNumber, limitNumber");
        Line(".reg .b64 fromNumber");
        Line(".reg .pred copies");
        return base.Declare();
    }

    // One a thread that copies, from fromNumber to writeNumber; after the last query, from limitNumber on, zeros, which
    // the zeros of its q and dOut make harmless.
    protected override void CopyNumbers()
    {
        Line("setp.gt.s32 yes, limitNumber, 0");
        Line("selp.b32 size, 4, 0, yes");
        Line("@copies cp.async.ca.shared.global [writeNumber], [fromNumber], 4, size");
        Line($"add.s64 fromNumber, fromNumber, {4 * columns}");
        Line($"sub.s32 limitNumber, limitNumber, {columns}");
    }

    protected override string[] StagePlaces => [.. base.StagePlaces, "numbers", "writeNumber"];

    /// <summary>s = 2^(scale s - log-sum-exp), the probabilities; scale has log2(e) in it.</summary>
    public PtxLines Probabilities()
    {
        for (int block = 0; block < Blocks; block++)
        {
            ReadNumbers(AttentionShape.LogSumExp, "f32", block, "x", "y");
            Line($"mul.f32 x, x, {Literal(-Log2E)}");
            Line($"mul.f32 y, y, {Literal(-Log2E)}");
            ForEachScore(block, (row, element) =>
            {
                string s = Score("s", row, block, element);
                Line($"fma.rn.f32 {s}, {s}, scale, {XOrY(element)}");
                Line($"ex2.approx.ftz.f32 {s}, {s}");
            });
        }

        return Take();
    }

    /// <summary>
    /// Probabilities of keys that a query does not see become 0: those after its own, where the first column is
    /// <c>ahead</c> of the first row; with
    /// <paramref name="starts"/> those before its first, where the first row is key number <c>key</c>.
    /// </summary>
    public PtxLines Hide(bool starts)
    {
        for (int block = 0; block < Blocks; block++)
        {
            if (starts)
            {
                ReadNumbers(AttentionShape.FirstKey, "b32", block, "first0", "first1");
                Line("sub.s32 first0, first0, key");
                Line("sub.s32 first1, first1, key");
            }

            ForEachScore(block, (row, element) =>
            {
                string s = Score("s", row, block, element);
                Line($"setp.lt.s32 yes, ahead, {8 * row - 8 * block - element}");
                if (starts)
                    Line($"setp.gt.or.s32 yes, first{element}, {8 * row}, yes");
                Line($"selp.f32 {s}, {Zero}, {s}, yes");
            });
        }

        return Take();
    }

    /// <summary>t = 0 where the probability was dropped, and is multiplied by <c>kept</c> elsewhere.</summary>
    public PtxLines DropGradients()
    {
        ForEachDraw((row, block, element) =>
        {
            string t = Score("t", row, block, element);
            Line($"mul.f32 {t}, {t}, kept");
            Line($"selp.f32 {t}, {t}, {Zero}, yes");
        });
        return Take();
    }

    /// <summary>t = s (t - delta).</summary>
    public PtxLines Gradients()
    {
        for (int block = 0; block < Blocks; block++)
        {
            ReadNumbers(AttentionShape.Delta, "f32", block, "x", "y");
            ForEachScore(block, (row, element) =>
            {
                string t = Score("t", row, block, element);
                Line($"sub.f32 {t}, {t}, {XOrY(element)}");
                Line($"mul.f32 {t}, {t}, {Score("s", row, block, element)}");
            });
        }

        return Take();
    }

    /// <summary>s = 0 where the probability was dropped.</summary>
    public PtxLines DropProbabilities()
    {
        ForEachDraw((row, block, element) =>
        {
            string s = Score("s", row, block, element);
            Line($"selp.f32 {s}, {s}, {Zero}, yes");
        });
        return Take();
    }

    /// <summary>Stores dK: the sums o times <c>scale</c>.</summary>
    public PtxLines StoreKeys() => Store("o", _ => "scale");

    /// <summary>Stores dV: the sums u times <c>kept</c>.</summary>
    public PtxLines StoreValues() => Store("u", _ => "kept");

    // Calls back for the lane's elements (row, block, element), with `yes` where the probability is kept. Lane i has
    // the bits of column i in `mine0`, one for each of the warp's rows; `lane` is the lane's first column, `shift` its
    // first row.
    private void ForEachDraw(Action<int, int, int> action)
    {
        for (int column = 0; column < 2 * Blocks; column++)
        {
            Line($"add.u32 word, lane, {8 * (column / 2) + column % 2}");
            Line("shfl.sync.idx.b32 keep, mine0, word, 31, 0xffffffff");
            Line("shr.u32 keep, keep, shift");
            for (int row = 0; row < Rows; row++)
            {
                Line($"and.b32 word, keep, {1 << (8 * row)}");
                Line("setp.ne.u32 yes, word, 0");
                action(row, column / 2, column % 2);
            }
        }
    }

    private void ReadNumbers(int kind, string type, int block, string first, string second) =>
        Line($"ld.shared.v2.{type} {{{first}, {second}}}, [numbers+{4 * (kind * columns + 8 * block)}]");

    private static string XOrY(int element) => element == 0 ? "x" : "y";
}
