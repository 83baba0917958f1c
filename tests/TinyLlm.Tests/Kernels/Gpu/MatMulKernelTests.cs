using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// Sizes around what the kernels cut a product into: tiles of 64 x 64, 16 deep, up to 8 rows for the matrix-vector
/// kernel, parts of a long depth.
/// </summary>
public static class MatMulKernelSizes
{
    /// <summary>Rows, columns of y, depth.</summary>
    public static TheoryData<int, int, int> Forward => new()
    {
        { 1, 1, 1 }, { 1, 9, 257 }, { 4, 17, 31 }, { 5, 8, 130 }, { 8, 1, 33 }, // the matrix-vector kernel
        { 9, 1, 1 }, { 63, 17, 15 }, { 64, 65, 16 }, { 65, 15, 17 }, { 17, 130, 1 }, { 130, 16, 63 }, { 15, 63, 65 },
        { 16, 64, 130 },
        { 10, 5, 520 }, // two parts of the depth
    };

    /// <summary>The same for the other products, which have no path for few rows.</summary>
    public static TheoryData<int, int, int> Backward => new()
    {
        { 1, 1, 1 }, { 1, 63, 17 }, { 17, 1, 65 }, { 15, 16, 130 }, { 64, 17, 64 }, { 63, 65, 16 }, { 16, 130, 15 },
            { 65, 64, 1 }, { 130, 15, 63 },
        { 10, 520, 5 }, { 777, 3, 3 }, { 600, 132, 1 }, // parts of the depth, and of the rows of dy
    };
}

/// <summary>
/// The products of GPU kernels in both element types, at sizes that the simulator does in a second or so;
/// Ops/MatMulTests.cs has larger ones.
/// </summary>
public abstract class MatMulKernelTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [MemberData(nameof(MatMulKernelSizes.Forward), MemberType = typeof(MatMulKernelSizes))]
    public void Forward_MatchesReference(int m, int n, int k)
    {
        foreach (var (dtype, outputType) in (ReadOnlySpan<(DType, DType)>)[(DType.F32, DType.F32),
            (DType.BF16, DType.BF16), (DType.BF16, DType.F32)])
        {
            TestTensor x = Random((m, k), dtype: dtype), weight = Random((n, k), dtype: dtype), bias = Random(n);
            TestTensor y = Output((m, n), outputType), yWithoutBias = Output((m, n), outputType);

            Run(() => Backend.MatMul(x, weight, bias, y), y);
            Run(() => Backend.MatMul(x, weight, null, yWithoutBias), yWithoutBias);

            Close($"y {outputType} of {dtype}",
                ReferenceOps.MatMul(x.Doubles(), weight.Doubles(), bias.Doubles(), m, n, k), y, Tolerance(outputType));
            Close($"y {outputType} of {dtype} without bias",
                ReferenceOps.MatMul(x.Doubles(), weight.Doubles(), null, m, n, k), yWithoutBias, Tolerance(outputType));
        }
    }

    [Theory]
    [MemberData(nameof(MatMulKernelSizes.Backward), MemberType = typeof(MatMulKernelSizes))]
    public void BackwardInput_MatchesReference(int m, int n, int k)
    {
        foreach (var dtype in (ReadOnlySpan<DType>)[DType.F32, DType.BF16])
        {
            TestTensor dy = Random((m, n), dtype: dtype), weight = Random((n, k), dtype: dtype),
                dx = Output((m, k), dtype), sum = Random((m, k), dtype: dtype);
            double[] expected = ReferenceOps.MatMulBackwardInput(dy.Doubles(), weight.Doubles(), m, n, k),
                before = sum.Doubles();

            Run(() => Backend.MatMulBackwardInput(dy, weight, dx), dx);
            Run(() => Backend.MatMulBackwardInput(dy, weight, sum, accumulate: true), sum);

            Close($"dx {dtype}", expected, dx, Tolerance(dtype));
            Close($"dx {dtype} accumulated", ReferenceOps.Add(before, expected), sum, Tolerance(dtype));
        }
    }

    [Theory]
    [MemberData(nameof(MatMulKernelSizes.Backward), MemberType = typeof(MatMulKernelSizes))]
    public void BackwardWeight_MatchesReference(int m, int n, int k)
    {
        foreach (var dtype in (ReadOnlySpan<DType>)[DType.F32, DType.BF16])
        {
            TestTensor dy = Random((m, n), dtype: dtype), x = Random((m, k), dtype: dtype), dWeight = Random((n, k)),
                dBias = Random(n), overwritten = Output((n, k));
            var (expected, expectedBias) = ReferenceOps.MatMulBackwardWeight(dy.Doubles(), x.Doubles(), m, n, k);
            double[] before = dWeight.Doubles(), biasBefore = dBias.Doubles();

            Run(() => Backend.MatMulBackwardWeight(dy, x, dWeight, dBias), dWeight, dBias);
            Run(() => Backend.MatMulBackwardWeight(dy, x, overwritten, null, accumulate: false), overwritten);

            Close($"dWeight of {dtype} overwritten", expected, overwritten, Tolerance(DType.F32));
            Close($"dWeight of {dtype}", ReferenceOps.Add(before, expected), dWeight, Tolerance(DType.F32));
            Close($"dBias of {dtype}", ReferenceOps.Add(biasBefore, expectedBias), dBias, Tolerance(DType.F32));
        }
    }

    /// <summary>
    /// Many rows and columns that are no multiple of what a group sums: parts of the rows, the last of them short.
    /// </summary>
    [Fact]
    public void BackwardWeight_SumsColumnsInParts()
    {
        const int m = 700, n = 70;
        TestTensor dy = Random((m, n)), x = Random((m, 1)), dWeight = Random((n, 1)), dBias = Random(n);
        double[] expected = ReferenceOps.Add(
            dBias.Doubles(), ReferenceOps.MatMulBackwardWeight(dy.Doubles(), x.Doubles(), m, n, 1).DBias);
        Run(() => Backend.MatMulBackwardWeight(dy, x, dWeight, dBias), dWeight, dBias);
        Close("dBias", expected, dBias, Tolerance(DType.F32));
    }

    /// <summary>A NaN in one row of the input must show in that row of the output, and nowhere else.</summary>
    [Theory]
    [InlineData(2, 20)]
    [InlineData(20, 20)]
    public void Forward_KeepsNotFiniteValuesInTheirRow(int m, int k)
    {
        TestTensor x = Random((m, k)), weight = Random((9, k)), y = Output((m, 9));
        x.Slice(0, 1, 1).Slice(1, k - 1, 1).Set([float.NaN]);
        Run(() => Backend.MatMul(x, weight, null, y), y);
        var result = y.Floats();
        Assert.All(Enumerable.Range(0, result.Length), i => Assert.Equal(i / 9 == 1, !float.IsFinite(result[i])));
    }

    [Fact]
    public void WithoutRows_NothingIsDone()
    {
        TestTensor x = Random((0, 5)), weight = Random((7, 5)), y = Output((0, 7)), dWeight = Random((7, 5)),
            dBias = Random(7);
        double[] before = dWeight.Doubles(), biasBefore = dBias.Doubles();
        Run(() => Backend.MatMul(x, weight, null, y));
        Run(() => Backend.MatMulBackwardInput(y, weight, x));
        Run(() => Backend.MatMulBackwardWeight(y, x, dWeight, dBias), dWeight, dBias);
        Close("dWeight", before, dWeight, 0);
        Close("dBias", biasBefore, dBias, 0);
        Run(() => Backend.MatMulBackwardWeight(y, x, dWeight, dBias, accumulate: false), dWeight, dBias);
        Assert.All(dWeight.Floats(), w => Assert.Equal(0, w));
    }

    // BF16 has 8 bits: a result is rounded by up to 2^-8 of itself.
    private static double Tolerance(DType dtype) => dtype == DType.BF16 ? 4e-3 : 3e-6;
}
