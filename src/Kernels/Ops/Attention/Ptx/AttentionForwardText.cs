namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of the forward pass: the online softmax over rows of scores. A row lies in the four lanes of a quad; its
/// largest score is found tile by tile, its sum stays apart in the lanes until the end.
/// </summary>
/// <param name="tile">What a warp computes.</param>
internal sealed class AttentionForwardText(IAttentionTile tile) : AttentionQueryText(tile)
{
    private const string MinusInfinity = "0fFF800000";
    private const double Log2 = 0.6931471805599453;

    /// <summary>
    /// Declares as well, for each row: peak, its largest score so far, and top, the next; sum, of the lane's
    /// exponentials; shift, minus the scaled peak.
    /// </summary>
    public override PtxLines Declare()
    {
        Line($".reg .f32 peak<{Rows}>, top<{Rows}>, sum<{Rows}>, shift<{Rows}>, factor<{Rows}>");
        Line(".reg .b64 logSumExp");
        for (int row = 0; row < Rows; row++)
        {
            Line($"mov.f32 peak{row}, {MinusInfinity}");
            Line($"mov.f32 sum{row}, {Zero}");
        }

        return base.Declare();
    }

    /// <summary>Hides the scores of keys that a query does not see.</summary>
    public PtxLines Hide(bool starts) => Hide(MinusInfinity, starts);

    /// <summary>
    /// s = 2^(scale (s - peak)), where scale has log2(e) in it, with the peak that now is; what was summed under the
    /// old one is multiplied by 2^(scale (old - new)). A row that saw no key so far has no peak to subtract.
    /// </summary>
    public PtxLines Softmax()
    {
        FindTop();
        for (int row = 0; row < Rows; row++)
        {
            Line($"setp.eq.f32 yes, top{row}, {MinusInfinity}");
            Line($"mul.f32 shift{row}, top{row}, scale");
            Line($"neg.f32 shift{row}, shift{row}");
            Line($"selp.f32 shift{row}, {Zero}, shift{row}, yes");
            Line($"fma.rn.f32 factor{row}, peak{row}, scale, shift{row}");
            Line($"ex2.approx.ftz.f32 factor{row}, factor{row}");
            Line($"mov.f32 peak{row}, top{row}");
            Line($"mul.f32 sum{row}, sum{row}, factor{row}");
        }

        ForEachScore((row, block, element) =>
        {
            string s = Score("s", row, block, element);
            Line($"fma.rn.f32 {s}, {s}, scale, shift{row}");
            Line($"ex2.approx.ftz.f32 {s}, {s}");
            Line($"add.f32 sum{row}, sum{row}, {s}");
        });
        MultiplyRows(row => $"factor{row}");
        return Take();
    }

    private void FindTop()
    {
        for (int row = 0; row < Rows; row++)
            Line($"mov.f32 top{row}, peak{row}");
        ForEachScore((row, block, element) => Line($"max.f32 top{row}, top{row}, {Score("s", row, block, element)}"));
        for (int row = 0; row < Rows; row++)
            AcrossQuad("max", $"top{row}");
    }

    private void AcrossQuad(string operation, string register)
    {
        for (int distance = 1; distance <= 2; distance *= 2)
        {
            Line($"shfl.sync.bfly.b32 x, {register}, {distance}, 31, 0xffffffff");
            Line($"{operation}.f32 {register}, {register}, x");
        }
    }

    /// <summary>Drops probabilities; their sums are those of all.</summary>
    public PtxLines Drop()
    {
        ForEachDraw((row, block, element) =>
        {
            string s = Score("s", row, block, element);
            Line($"selp.f32 {s}, {s}, {Zero}, yes");
        });
        return Take();
    }

    /// <summary>
    /// Finds the factors that the sums of values are still to be multiplied by: kept / sum, and 0 for a row that saw no
    /// key. Stores the log-sum-exps of the rows before <c>left</c> at <c>logSumExp</c> and on; <c>left</c> is above 0
    /// in one lane of a quad at most.
    /// </summary>
    public PtxLines Finish()
    {
        for (int row = 0; row < Rows; row++)
        {
            AcrossQuad("add", $"sum{row}");
            Line($"rcp.approx.ftz.f32 factor{row}, sum{row}");
            Line($"mul.f32 factor{row}, factor{row}, kept");
            Line($"setp.gt.f32 yes, sum{row}, {Zero}");
            Line($"selp.f32 factor{row}, factor{row}, {Zero}, yes");

            Line($"lg2.approx.ftz.f32 x, sum{row}");
            Line($"fma.rn.f32 x, peak{row}, scale, x");
            Line($"mul.f32 x, x, {Literal(Log2)}");
            Line($"setp.gt.s32 yes, left, {8 * row}");
            Line($"@yes st.global.f32 [logSumExp+{4 * 8 * row}], x");
        }

        return Take();
    }

    /// <summary>Stores the output.</summary>
    public PtxLines Store() => Store("o", row => $"factor{row}");
}
