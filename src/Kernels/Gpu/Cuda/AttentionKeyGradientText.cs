namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of keys' and values' gradients: scores are transposed, rows are keys and columns queries. The queries' log-sum-exps, deltas and first keys lie beside the
/// tile of columns in shared memory.
/// </summary>
/// <param name="tile">What a warp computes.</param>
internal sealed class AttentionKeyGradientText(IAttentionTile tile) : AttentionText(tile)
{
    private const double Log2E = 1.4426950408889634;

    private readonly int columns = AttentionShape.Columns(tile);

    /// <summary>
    /// Declares as well: numbers, the place of the lane's first column's log-sum-exp; first0 and first1, of two columns; keep, the bits of one;
    /// and what a thread copies of the numbers.
    /// </summary>
    public override string Declare()
    {
        Line($".reg .b32 keep, first<2>, numbers, writeNumber, limitNumber");
        Line(".reg .b64 fromNumber");
        Line(".reg .pred copies");
        return Take() + base.Declare();
    }

    /// <summary>One number a thread, where it <c>copies</c>; beyond the last query zeros, which its zero rows of q and dOut make harmless.</summary>
    protected override void CopyMore()
    {
        Line("setp.gt.s32 yes, limitNumber, 0");
        Line("selp.b32 size, 4, 0, yes");
        Line("@copies cp.async.ca.shared.global [writeNumber], [fromNumber], 4, size");
        Line($"add.s64 fromNumber, fromNumber, {4 * columns}");
        Line($"sub.s32 limitNumber, limitNumber, {columns}");
    }

    protected override IEnumerable<string> Staged => [.. base.Staged, "numbers", "writeNumber"];

    /// <summary>s = 2^(scale s - log-sum-exp).</summary>
    public string Probabilities()
    {
        ForEachColumnPair(AttentionShape.LogSumExp, "f32", "x", "y", block =>
        {
            Line($"mul.f32 x, x, {Literal(-Log2E)}");
            Line($"mul.f32 y, y, {Literal(-Log2E)}");
            ForEachOf(block, "s", (s, row, element) =>
            {
                Line($"fma.rn.f32 {s}, {s}, scale, {(element == 0 ? "x" : "y")}");
                Line($"ex2.approx.ftz.f32 {s}, {s}");
            });
        });
        return Take();
    }

    /// <summary>Probabilities are 0 where the first column's last key is <c>ahead</c> of the first row; with <paramref name="starts"/>, where its first is after it: row <c>key</c> and on.</summary>
    public string Hide(bool starts)
    {
        ForEachColumnPair(AttentionShape.Start, starts ? "b32" : "", "first0", "first1", block =>
        {
            for (int element = 0; element < 2 && starts; element++)
                Line($"sub.s32 first{element}, first{element}, key");
            ForEachOf(block, "s", (s, row, element) =>
            {
                Line($"setp.lt.s32 yes, ahead, {8 * row - 8 * block - element}");
                if (starts)
                    Line($"setp.gt.or.s32 yes, first{element}, {8 * row}, yes");
                Line($"selp.f32 {s}, {Zero}, {s}, yes");
            });
        });
        return Take();
    }

    /// <summary>t = 0 where the probability is dropped, multiplied by <c>kept</c> elsewhere.</summary>
    public string DropGradients()
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
    public string Gradients()
    {
        ForEachColumnPair(AttentionShape.Delta, "f32", "x", "y", block => ForEachOf(block, "t", (t, row, element) =>
        {
            Line($"sub.f32 {t}, {t}, {(element == 0 ? "x" : "y")}");
            Line($"mul.f32 {t}, {t}, {Score("s", row, block, element)}");
        }));
        return Take();
    }

    /// <summary>s = 0 where the probability is dropped.</summary>
    public string DropProbabilities()
    {
        ForEachDraw((row, block, element) =>
        {
            string s = Score("s", row, block, element);
            Line($"selp.f32 {s}, {s}, {Zero}, yes");
        });
        return Take();
    }

    /// <summary>Stores the keys' gradients, multiplied by <c>scale</c>.</summary>
    public string StoreKeys() => Store("o", _ => "scale");

    /// <summary>Stores the values' gradients, multiplied by <c>kept</c>.</summary>
    public string StoreValues() => Store("u", _ => "kept");

    // Calls back for each element of the lane's, column by column, with the predicate `yes` that says whether its probability is kept. Lane i has the bits of column i in `mine0`, one
    // for each of the warp's rows; `lane` is the lane's first column, `shift` its first row.
    private void ForEachDraw(Action<int, int, int> action)
    {
        for (int block = 0; block < Blocks; block++)
        {
            for (int element = 0; element < 2; element++)
            {
                Line($"add.u32 word, lane, {8 * block + element}");
                Line("shfl.sync.idx.b32 keep, mine0, word, 31, 0xffffffff");
                Line("shr.u32 keep, keep, shift");
                for (int row = 0; row < Rows; row++)
                {
                    Line($"and.b32 word, keep, {1 << (8 * row)}");
                    Line("setp.ne.u32 yes, word, 0");
                    action(row, block, element);
                }
            }
        }
    }

    // With the two columns' numbers of the kind in two registers.
    private void ForEachColumnPair(int kind, string type, string first, string second, Action<int> action)
    {
        for (int block = 0; block < Blocks; block++)
        {
            if (type != "")
                Line($"ld.shared.v2.{type} {{{first}, {second}}}, [numbers+{4 * (kind * columns + 8 * block)}]");
            action(block);
        }
    }

    private void ForEachOf(int block, string scores, Action<string, int, int> action)
    {
        for (int row = 0; row < Rows; row++)
            for (int element = 0; element < 2; element++)
                action(Score(scores, row, block, element), row, element);
    }
}
