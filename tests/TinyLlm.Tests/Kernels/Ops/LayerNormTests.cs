using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public static class NormSizes
{
    /// <summary>Rows and columns: odd ones, and enough of both for several items of work.</summary>
    public static TheoryData<int, int> All =>
        new() { { 1, 1 }, { 1, 7 }, { 7, 31 }, { 33, 33 }, { 65, 65 }, { 128, 200 }, { 700, 65 }, { 3, 20000 } };
}

public abstract class LayerNormTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const float Epsilon = 1e-5f;
    private const double Tolerance = 2e-6;

    [Theory]
    [MemberData(nameof(NormSizes.All), MemberType = typeof(NormSizes))]
    public void Forward_MatchesReference(int rows, int c)
    {
        TestTensor x = Random((rows, c), mean: 0.5), weight = Random(c, mean: 1), bias = Random(c),
            y = Output((rows, c)), mean = Output(rows), rstd = Output(rows);
        var (expected, expectedMean, expectedRstd) =
            ReferenceOps.LayerNorm(x.Doubles(), weight.Doubles(), bias.Doubles(), Epsilon);

        Run(() => Backend.LayerNorm(x, weight, bias, y, mean, rstd, Epsilon), y, mean, rstd);

        // A long row is summed in single precision, one after another where there are no vectors.
        double tolerance = c > 1000 ? 5 * Tolerance : Tolerance;
        Close("y", expected, y, tolerance);
        Close("mean", expectedMean, mean, tolerance);
        Close("rstd", expectedRstd, rstd, tolerance);
    }

    /// <summary>The mean of the squares minus the square of the mean would have no digit left here.</summary>
    [Fact]
    public void Forward_DoesNotCancelFarFromZero()
    {
        TestTensor x = Random((5, 100), mean: 3000), weight = Random(100), bias = Random(100), y = Output((5, 100)),
            mean = Output(5), rstd = Output(5);
        var (expected, _, expectedRstd) =
            ReferenceOps.LayerNorm(x.Doubles(), weight.Doubles(), bias.Doubles(), Epsilon);
        Run(() => Backend.LayerNorm(x, weight, bias, y, mean, rstd, Epsilon), y, mean, rstd);
        Close("rstd", expectedRstd, rstd, Tolerance);
        Close("y", expected, y, 2e-3);
    }

    [Theory]
    [MemberData(nameof(NormSizes.All), MemberType = typeof(NormSizes))]
    public void Backward_MatchesReference(int rows, int c)
    {
        TestTensor x = Random((rows, c), mean: 0.5), weight = Random(c, mean: 1), dy = Random((rows, c)),
            dx = Random((rows, c)), dWeight = Random(c), dBias = Random(c);
        var (_, m, r) = ReferenceOps.LayerNorm(x.Doubles(), weight.Doubles(), new double[c], Epsilon);
        TestTensor mean = Of(rows, m), rstd = Of(rows, r);
        var (expected, expectedWeight, expectedBias) =
            ReferenceOps.LayerNormBackward(dy.Doubles(), x.Doubles(), weight.Doubles(), Epsilon);
        double[] before = dx.Doubles(), weightBefore = dWeight.Doubles(), biasBefore = dBias.Doubles();

        Run(() => Backend.LayerNormBackward(dy, x, weight, mean, rstd, dx, dWeight, dBias), dx, dWeight, dBias);

        // One element has no variance: epsilon alone makes rstd, about 300, and the terms of dx cancel.
        Close("dx", ReferenceOps.Add(before, expected), dx, c == 1 ? 1e-4 : Tolerance);
        Close("dWeight", ReferenceOps.Add(weightBefore, expectedWeight), dWeight, Tolerance);
        Close("dBias", ReferenceOps.Add(biasBefore, expectedBias), dBias, Tolerance);
    }

    [Fact]
    public void Forward_NormalisesTheLastOfManyDimensions()
    {
        TestTensor x = Random((2, 3, 4, 5)), weight = Random(5), bias = Random(5), y = Output((2, 3, 4, 5)),
            mean = Output(24), rstd = Output(24);
        Run(() => Backend.LayerNorm(x, weight, bias, y, mean, rstd, Epsilon), y, mean, rstd);
        Close("y", ReferenceOps.LayerNorm(x.Doubles(), weight.Doubles(), bias.Doubles(), Epsilon).Y, y, Tolerance);
    }
}
