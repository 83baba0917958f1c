using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class RmsNormTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const float Epsilon = 1e-6f;
    private const double Tolerance = 2e-6;

    [Theory]
    [MemberData(nameof(NormSizes.All), MemberType = typeof(NormSizes))]
    public void Forward_MatchesReference(int rows, int c)
    {
        TestTensor x = Random((rows, c)), weight = Random(c, mean: 1), y = Output((rows, c)), rstd = Output(rows);
        var (expected, expectedRstd) = ReferenceOps.RmsNorm(x.Doubles(), weight.Doubles(), Epsilon);

        Run(() => Backend.RmsNorm(x, weight, y, rstd, Epsilon), y, rstd);

        Close("y", expected, y, Tolerance);
        Close("rstd", expectedRstd, rstd, Tolerance);
    }

    [Theory]
    [MemberData(nameof(NormSizes.All), MemberType = typeof(NormSizes))]
    public void Backward_MatchesReference(int rows, int c)
    {
        TestTensor x = Random((rows, c)), weight = Random(c, mean: 1), dy = Random((rows, c)), dWeight = Random(c);
        var (expected, expectedWeight) =
            ReferenceOps.RmsNormBackward(dy.Doubles(), x.Doubles(), weight.Doubles(), Epsilon);
        TestTensor rstd = Of(rows, ReferenceOps.RmsNorm(x.Doubles(), weight.Doubles(), Epsilon).Rstd),
            dx = Output((rows, c)), sum = Random((rows, c));
        double[] before = sum.Doubles(), weightBefore = dWeight.Doubles();

        Run(() => Backend.RmsNormBackward(dy, x, weight, rstd, dx, dWeight, accumulate: false), dx, dWeight);
        Close("dWeight", ReferenceOps.Add(weightBefore, expectedWeight), dWeight, Tolerance);
        Run(() => Backend.RmsNormBackward(dy, x, weight, rstd, sum, dWeight, accumulate: true), sum, dWeight);

        // With one element the terms of dx, which are about 1 / x, cancel down to the share of epsilon.
        if (c > 1)
            Close("dx", expected, dx, Tolerance);
        Close("dx accumulated", ReferenceOps.Add(before, expected), sum, c > 1 ? Tolerance : 1e-5);
        Close("dWeight twice", ReferenceOps.Add(ReferenceOps.Add(weightBefore, expectedWeight), expectedWeight),
            dWeight, Tolerance);
    }

    /// <summary>The norm of the query and key heads: slices of a stacked (B, T, Hq + 2 Hkv, D) projection.</summary>
    [Theory]
    [InlineData(2, 3, 2, 1, 8)]
    [InlineData(1, 31, 4, 2, 33)]
    [InlineData(2, 65, 4, 4, 64)]
    public void HeadsOfAStackedProjection(int b, int t, int heads, int kvHeads, int d)
    {
        int rows = b * t * kvHeads;
        TestTensor stacked = Random((b, t, heads + 2 * kvHeads, d)), result = Random((b, t, heads + 2 * kvHeads, d)),
            gradients = Random((b, t, heads + 2 * kvHeads, d));
        TestTensor x = stacked.Slice(2, heads, kvHeads), y = result.Slice(2, heads, kvHeads),
            dy = gradients.Slice(2, heads, kvHeads), dx = result.Slice(2, 0, kvHeads);
        TestTensor weight = Random(d, mean: 1), rstd = Output(rows), dWeight = Random(d);
        var (expected, _) = ReferenceOps.RmsNorm(x.Doubles(), weight.Doubles(), Epsilon);
        var (expectedDx, expectedWeight) =
            ReferenceOps.RmsNormBackward(dy.Doubles(), x.Doubles(), weight.Doubles(), Epsilon);
        var weightBefore = dWeight.Doubles();

        Run(() => Backend.RmsNorm(x, weight, y, rstd, Epsilon), y, rstd);
        Run(() => Backend.RmsNormBackward(dy, x, weight, rstd, dx, dWeight, accumulate: false), dx, dWeight);

        Close("y", expected, y, Tolerance);
        Close("dx", expectedDx, dx, Tolerance);
        Close("dWeight", ReferenceOps.Add(weightBefore, expectedWeight), dWeight, Tolerance);
    }
}
