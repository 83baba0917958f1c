namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The PTX of queries' gradients: from scores in s and dP in t to dS = P (dP - delta) in t, row by row.
/// </summary>
/// <param name="tile">What a warp computes.</param>
internal sealed class AttentionQueryGradientText(IAttentionTile tile) : AttentionQueryText(tile)
{
    private const double Log2E = 1.4426950408889634;

    /// <summary>Declares as well, for each row: shift, minus its log-sum-exp to base 2; delta, dOut . out.</summary>
    public override PtxLines Declare()
    {
        Line($".reg .f32 shift<{Rows}>, delta<{Rows}>");
        return base.Declare();
    }

    /// <summary>Reads the rows' log-sum-exps.</summary>
    public PtxLines ReadLogSumExp()
    {
        ReadRows("shift", "f32");
        for (int row = 0; row < Rows; row++)
            Line($"mul.f32 shift{row}, shift{row}, {Literal(-Log2E)}");
        return Take();
    }

    /// <summary>Reads the rows' deltas.</summary>
    public PtxLines ReadDelta()
    {
        ReadRows("delta", "f32");
        return Take();
    }

    /// <summary>s = 2^(scale s - log-sum-exp), the probabilities; scale has log2(e) in it.</summary>
    public PtxLines Probabilities()
    {
        ForEachScore((row, block, element) =>
        {
            string s = Score("s", row, block, element);
            Line($"fma.rn.f32 {s}, {s}, scale, shift{row}");
            Line($"ex2.approx.ftz.f32 {s}, {s}");
        });
        return Take();
    }

    /// <summary>Probabilities of keys that a query does not see become 0.</summary>
    public PtxLines Hide(bool starts) => Hide(Zero, starts);

    /// <summary>t = 0 where the probability was dropped, and is multiplied by <c>kept</c> elsewhere.</summary>
    public PtxLines Drop()
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
        ForEachScore((row, block, element) =>
        {
            string t = Score("t", row, block, element);
            Line($"sub.f32 {t}, {t}, delta{row}");
            Line($"mul.f32 {t}, {t}, {Score("s", row, block, element)}");
        });
        return Take();
    }

    /// <summary>Stores dQ: the sums times <c>scale</c>.</summary>
    public PtxLines Store() => Store("o", _ => "scale");
}
