namespace TinyLlm.Kernels.Gpu;

/// <summary>The PTX of queries' gradients: dS = P (dP - delta) from scores s and dP in t, row by row.</summary>
/// <param name="tile">What a warp computes.</param>
internal sealed class AttentionQueryGradientText(IAttentionTile tile) : AttentionQueryText(tile)
{
    private const double Log2E = 1.4426950408889634;

    /// <summary>Declares as well, for each row: shift, minus its log-sum-exp to base 2; delta, dOut . out.</summary>
    public override string Declare()
    {
        Line($".reg .f32 shift<{Rows}>, delta<{Rows}>");
        return Take() + base.Declare();
    }

    /// <summary>Reads the rows' log-sum-exps.</summary>
    public string ReadLogSumExp()
    {
        ReadRows("shift", "f32");
        for (int row = 0; row < Rows; row++)
            Line($"mul.f32 shift{row}, shift{row}, {Literal(-Log2E)}");
        return Take();
    }

    /// <summary>Reads the rows' deltas.</summary>
    public string ReadDelta()
    {
        ReadRows("delta", "f32");
        return Take();
    }

    /// <summary>s = 2^(scale s - log-sum-exp).</summary>
    public string Probabilities()
    {
        ForEachScore((row, block, element) =>
        {
            string s = Score("s", row, block, element);
            Line($"fma.rn.f32 {s}, {s}, scale, shift{row}");
            Line($"ex2.approx.ftz.f32 {s}, {s}");
        });
        return Take();
    }

    /// <summary>Probabilities of keys that a query does not see are 0.</summary>
    public string Hide(bool starts) => Hide(Zero, starts);

    /// <summary>t = 0 where the probability is dropped, multiplied by <c>kept</c> elsewhere.</summary>
    public string Drop()
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
        ForEachScore((row, block, element) =>
        {
            string t = Score("t", row, block, element);
            Line($"sub.f32 {t}, {t}, delta{row}");
            Line($"mul.f32 {t}, {t}, {Score("s", row, block, element)}");
        });
        return Take();
    }

    /// <summary>Stores the queries' gradients, multiplied by <c>scale</c>.</summary>
    public string Store() => Store("o", _ => "scale");
}
