using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;

namespace TinyLlm.Tests.Kernels.Ops;

/// <summary>What tests of attention have in common, whatever their sizes.</summary>
public abstract class AttentionChecks<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    protected const double Tolerance = 2e-6;
    protected const ulong Seed = 0xFEDCBA9876543210;
    protected const int Step = 5, MicroStep = 3, Site = 11;

    /// <summary>
    /// Runs both passes with these rules and compares with the reference. Queries, keys and values are heads of a
    /// stacked projection, or, with offsets, the keys and values parts of a longer cache.
    /// </summary>
    private protected void Check(
        AttentionSizes s, int[]? offsets = null, int[]? starts = null, float dropout = 0, DType dtype = DType.F32)
    {
        TestTensor stacked = New(s.B, s.Tq, s.H + 2 * s.Hkv, s.D), gradients = New(s.B, s.Tq, s.H + 2 * s.Hkv, s.D);
        TestTensor q = stacked.Slice(2, 0, s.H), k = stacked.Slice(2, s.H, s.Hkv),
            v = stacked.Slice(2, s.H + s.Hkv, s.Hkv);
        TestTensor dq = gradients.Slice(2, 0, s.H), dk = gradients.Slice(2, s.H, s.Hkv),
            dv = gradients.Slice(2, s.H + s.Hkv, s.Hkv);
        if (offsets is not null)
        {
            (k, v) = (New(s.B, s.Tk + 3, s.Hkv, s.D).Slice(1, 0, s.Tk),
                New(s.B, s.Tk + 3, s.Hkv + 1, s.D).Slice(1, 1, s.Tk).Slice(2, 1, s.Hkv));
            (dk, dv) = (New(s.B, s.Tk, s.Hkv + 2, s.D).Slice(2, 1, s.Hkv), New(s.B, s.Tk, s.Hkv, s.D));
        }

        var mask = dropout == 0 ? null
            : ReferencePhilox.DropoutMask((long)s.B * s.H * s.Tq * s.Tk, dropout, Seed, Step, MicroStep, Site);
        double[] qs = q.Doubles(), ks = k.Doubles(), vs = v.Doubles();
        TestTensor dOutput = New(s.B, s.H, s.Tq, s.D).View((s.B, s.Tq, s.H, s.D));
        var expected = ReferenceOps.Attention(qs, ks, vs, s, offsets, starts, mask);
        var (expectedQ, expectedK, expectedV) =
            ReferenceOps.AttentionBackward(dOutput.Doubles(), qs, ks, vs, s, offsets, starts, mask);
        if (offsets is not null)
            PoisonBehind(k, v, offsets, s);

        var rules = new AttentionMask(
            offsets is null ? null : Integers(s.B, offsets), starts is null ? null : Integers((s.B, s.Tq), starts));
        var drop = dropout == 0 ? default : new AttentionDropout(dropout, State(Seed, Step, MicroStep), Site);
        TestTensor output = Output((s.B, s.Tq, s.H + 1, s.D), dtype).Slice(2, 1, s.H),
            logSumExp = Output((s.B, s.H, s.Tq));
        Run(() => Backend.Attention(q, k, v, output, logSumExp, rules, drop), output, logSumExp);
        double rounded = dtype == DType.BF16 ? 5e-3 : Tolerance;
        Close("output", expected.Output, output, rounded);
        Close("logSumExp", expected.LogSumExp, logSumExp, Tolerance);

        // The backward pass on what a perfect forward pass would have given, so that each is judged alone.
        TestTensor exact = Output((s.B, s.Tq, s.H, s.D), dtype).Set(expected.Output),
            exactLogSumExp = Of((s.B, s.H, s.Tq), expected.LogSumExp);
        Run(() => Backend.AttentionBackward(dOutput, q, k, v, exact, exactLogSumExp, dq, dk, dv, rules, drop), dq, dk,
            dv);

        // A lone key has probability 1 whatever q and k are: their gradients are rounding errors around zero.
        if (s.Tk > 1)
        {
            Close("dq", expectedQ, dq, rounded * 2);
            Close("dk", expectedK, dk, rounded * 2);
        }

        Close("dv", expectedV, dv, rounded);

        TestTensor New(params ReadOnlySpan<int> sizes) => Random(new Shape(sizes), dtype: dtype);
    }

    // What lies behind the last key that a row's queries see is another sequence's, or never written.
    private static void PoisonBehind(TestTensor k, TestTensor v, int[] offsets, AttentionSizes s)
    {
        for (int b = 0; b < s.B; b++)
        {
            int visible = Math.Min(offsets[b] + s.Tq, s.Tk);
            var nothing = Enumerable.Repeat(float.NaN, (s.Tk - visible) * s.Hkv * s.D).ToArray();
            k.Slice(0, b, 1).Slice(1, visible, s.Tk - visible).Set(nothing);
            v.Slice(0, b, 1).Slice(1, visible, s.Tk - visible).Set(nothing);
        }
    }
}
