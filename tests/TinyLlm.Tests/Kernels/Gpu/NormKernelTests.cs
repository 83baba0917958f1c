using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

public static class NormKernelCases
{
    /// <summary>
    /// Rows and columns: a lone row, more than one group of short rows and more than one part of sums, rows of a group
    /// each, and rows that are taken four elements at a time, of one block of columns and of two.
    /// </summary>
    public static TheoryData<DType, int, int> All => new()
    {
        { DType.F32, 1, 7 }, { DType.F32, 66, 33 }, { DType.F32, 2, 1030 }, { DType.BF16, 66, 33 },
        { DType.F32, 67, 36 }, { DType.F32, 3, 1028 }, { DType.BF16, 67, 36 }, { DType.BF16, 130, 132 },
    };
}

/// <summary>The norms in few groups, for devices that are slow with many.</summary>
public abstract class NormKernelTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const float Epsilon = 1e-5f;
    private const double Tolerance = 2e-6;

    [Theory]
    [MemberData(nameof(NormKernelCases.All), MemberType = typeof(NormKernelCases))]
    public void LayerNorm(DType dtype, int rows, int c)
    {
        TestTensor x = Random((rows, c), mean: 0.5, dtype: dtype), weight = Random(c, mean: 1), bias = Random(c),
            y = Output((rows, c), dtype), mean = Output(rows), rstd = Output(rows);
        TestTensor dy = Random((rows, c), dtype: dtype), dx = Random((rows, c), dtype: dtype), dWeight = Random(c),
            dBias = Random(c);
        var (expected, expectedMean, expectedRstd) =
            ReferenceOps.LayerNorm(x.Doubles(), weight.Doubles(), bias.Doubles(), Epsilon);
        var (expectedX, expectedWeight, expectedBias) =
            ReferenceOps.LayerNormBackward(dy.Doubles(), x.Doubles(), weight.Doubles(), Epsilon);
        double[] before = dx.Doubles(), weightBefore = dWeight.Doubles(), biasBefore = dBias.Doubles();

        Run(() => Backend.LayerNorm(x, weight, bias, y, mean, rstd, Epsilon), y, mean, rstd);
        Run(() => Backend.LayerNormBackward(dy, x, weight, mean, rstd, dx, dWeight, dBias), dx, dWeight, dBias);

        Close("y", expected, y, Rounded(dtype));
        Close("mean", expectedMean, mean, Tolerance);
        Close("rstd", expectedRstd, rstd, Tolerance);
        Close("dx", ReferenceOps.Add(before, expectedX), dx, Rounded(dtype));
        Close("dWeight", ReferenceOps.Add(weightBefore, expectedWeight), dWeight, Tolerance);
        Close("dBias", ReferenceOps.Add(biasBefore, expectedBias), dBias, Tolerance);
    }

    [Theory]
    [MemberData(nameof(NormKernelCases.All), MemberType = typeof(NormKernelCases))]
    public void RmsNorm(DType dtype, int rows, int c)
    {
        TestTensor x = Random((rows, c), dtype: dtype), weight = Random(c, mean: 1), y = Output((rows, c), dtype),
            rstd = Output(rows);
        TestTensor dy = Random((rows, c), dtype: dtype), dx = Random((rows, c), dtype: dtype), dWeight = Random(c);
        var (expected, expectedRstd) = ReferenceOps.RmsNorm(x.Doubles(), weight.Doubles(), Epsilon);
        var (expectedX, expectedWeight) =
            ReferenceOps.RmsNormBackward(dy.Doubles(), x.Doubles(), weight.Doubles(), Epsilon);
        double[] before = dx.Doubles(), weightBefore = dWeight.Doubles();

        Run(() => Backend.RmsNorm(x, weight, y, rstd, Epsilon), y, rstd);
        Run(() => Backend.RmsNormBackward(dy, x, weight, rstd, dx, dWeight, accumulate: true), dx, dWeight);

        Close("y", expected, y, Rounded(dtype));
        Close("rstd", expectedRstd, rstd, Tolerance);
        Close("dx", ReferenceOps.Add(before, expectedX), dx, Rounded(dtype));
        Close("dWeight", ReferenceOps.Add(weightBefore, expectedWeight), dWeight, Tolerance);
    }

    /// <summary>
    /// Heads of a stacked projection, of a part of its tokens: three strides. The gradient overwrites, in place of dy.
    /// </summary>
    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void RmsNormOfHeads(DType dtype)
    {
        const int b = 2, t = 3, heads = 3, d = 40, rows = b * t * heads;
        TestTensor Heads() => Random((b, t + 2, heads + 2, d), dtype: dtype).Slice(1, 1, t).Slice(2, 1, heads);
        TestTensor x = Heads(), y = Heads(), dy = Heads(), weight = Random(d, mean: 1), rstd = Output(rows),
            dWeight = Random(d);
        var (expected, _) = ReferenceOps.RmsNorm(x.Doubles(), weight.Doubles(), Epsilon);
        var (expectedX, expectedWeight) =
            ReferenceOps.RmsNormBackward(dy.Doubles(), x.Doubles(), weight.Doubles(), Epsilon);
        var weightBefore = dWeight.Doubles();

        Run(() => Backend.RmsNorm(x, weight, y, rstd, Epsilon), y, rstd);
        Run(() => Backend.RmsNormBackward(dy, x, weight, rstd, dy, dWeight, accumulate: false), dy, dWeight);

        Close("y", expected, y, Rounded(dtype));
        Close("dx", expectedX, dy, Rounded(dtype));
        Close("dWeight", ReferenceOps.Add(weightBefore, expectedWeight), dWeight, Tolerance);
    }

    // Rounding to BF16 is off by 1.1e-3 of a value on average.
    private static double Rounded(DType dtype) => dtype == DType.BF16 ? 3e-3 : Tolerance;
}
