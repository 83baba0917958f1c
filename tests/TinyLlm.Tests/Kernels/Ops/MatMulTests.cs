using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public static class MatMulSizes
{
    /// <summary>
    /// Rows around the register block and the path of few rows, depths around the depth block, columns around the panel
    /// and the column block.
    /// </summary>
    public static TheoryData<int, int, int> All => new()
    {
        { 1, 1, 1 }, { 1, 7, 31 }, { 1, 65, 1 }, { 1, 200, 800 }, { 2, 33, 65 }, { 3, 128, 385 }, { 4, 31, 33 },
            { 5, 1, 7 }, { 6, 16, 8 },
        { 7, 7, 7 }, { 7, 65, 384 }, { 12, 32, 16 }, { 31, 33, 65 }, { 33, 31, 400 }, { 65, 128, 31 }, { 97, 65, 128 },
        { 128, 1, 33 },
        { 200, 33, 200 }, { 3, 3100, 5 }, { 7, 3105, 9 }, { 9, 5, 3105 }, { 13, 65, 1000 }, { 1000, 3, 5 },
        { 16, 9, 70 }, { 17, 9, 70 }, { 19, 7, 7 }, { 18, 16, 8 }, { 19, 3105, 9 }, { 21, 5, 3105 }, { 25, 65, 1000 },
    };
}

public abstract class MatMulTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const double Tolerance = 3e-6;

    [Theory]
    [MemberData(nameof(MatMulSizes.All), MemberType = typeof(MatMulSizes))]
    public void Forward_MatchesReference(int m, int n, int k)
    {
        TestTensor x = Random((m, k)), weight = Random((n, k)), bias = Random(n), y = Output((m, n)),
            yWithoutBias = Output((m, n));
        double[] dx = x.Doubles(), dWeight = weight.Doubles();

        Run(() => Backend.MatMul(x, weight, bias, y), y);
        Run(() => Backend.MatMul(x, weight, null, yWithoutBias), yWithoutBias);

        Close("y", ReferenceOps.MatMul(dx, dWeight, bias.Doubles(), m, n, k), y, Tolerance);
        Close("y without bias", ReferenceOps.MatMul(dx, dWeight, null, m, n, k), yWithoutBias, Tolerance);
    }

    [Theory]
    [MemberData(nameof(MatMulSizes.All), MemberType = typeof(MatMulSizes))]
    public void BackwardInput_MatchesReference(int m, int n, int k)
    {
        TestTensor dy = Random((m, n)), weight = Random((n, k)), dx = Output((m, k)), sum = Random((m, k));
        double[] expected = ReferenceOps.MatMulBackwardInput(dy.Doubles(), weight.Doubles(), m, n, k),
            before = sum.Doubles();

        Run(() => Backend.MatMulBackwardInput(dy, weight, dx), dx);
        Run(() => Backend.MatMulBackwardInput(dy, weight, sum, accumulate: true), sum);

        Close("dx", expected, dx, Tolerance);
        Close("dx accumulated", ReferenceOps.Add(before, expected), sum, Tolerance);
    }

    [Theory]
    [MemberData(nameof(MatMulSizes.All), MemberType = typeof(MatMulSizes))]
    public void BackwardWeight_MatchesReference(int m, int n, int k)
    {
        TestTensor dy = Random((m, n)), x = Random((m, k)), dWeight = Random((n, k)), dBias = Random(n),
            dWeightAlone = Random((n, k)), overwritten = Output((n, k));
        var (expected, expectedBias) = ReferenceOps.MatMulBackwardWeight(dy.Doubles(), x.Doubles(), m, n, k);
        double[] before = dWeight.Doubles(), biasBefore = dBias.Doubles(), aloneBefore = dWeightAlone.Doubles();

        Run(() => Backend.MatMulBackwardWeight(dy, x, dWeight, dBias), dWeight, dBias);
        Run(() => Backend.MatMulBackwardWeight(dy, x, dWeightAlone, null), dWeightAlone);
        Run(() => Backend.MatMulBackwardWeight(dy, x, overwritten, null, accumulate: false), overwritten);

        Close("dWeight", ReferenceOps.Add(before, expected), dWeight, Tolerance);
        Close("dBias", ReferenceOps.Add(biasBefore, expectedBias), dBias, Tolerance);
        Close("dWeight without bias", ReferenceOps.Add(aloneBefore, expected), dWeightAlone, Tolerance);
        Close("dWeight overwritten", expected, overwritten, Tolerance);
    }

    [Fact]
    public void Forward_TakesAnyNumberOfRowDimensions()
    {
        TestTensor x = Random((2, 3, 5)), weight = Random((7, 5)), y = Output((3, 2, 7));
        Run(() => Backend.MatMul(x, weight, null, y), y);
        Close("y", ReferenceOps.MatMul(x.Doubles(), weight.Doubles(), null, 6, 7, 5), y, Tolerance);
    }

    [Fact]
    public void Forward_IsExactOnSmallIntegers()
    {
        var whole = Enumerable.Range(0, 65 * 33).Select(i => (float)(i * 7 % 13 - 6)).ToArray();
        TestTensor x = Of((65, 33), whole), weight = Of((65, 33), whole), y = Output((65, 65));
        Run(() => Backend.MatMul(x, weight, null, y), y);
        Assert.Equal(ReferenceOps.MatMul(x.Doubles(), weight.Doubles(), null, 65, 65, 33), y.Doubles());
    }

    /// <summary>
    /// A NaN or infinity in one row of the input must show in that row of the output, and nowhere else.
    /// </summary>
    [Theory]
    [InlineData(2)]
    [InlineData(20)]
    public void Forward_KeepsNotFiniteValuesInTheirRow(int m)
    {
        TestTensor x = Random((m, 40)), weight = Random((9, 40)), y = Output((m, 9));
        x.Slice(0, 1, 1).Slice(1, 39, 1).Set([float.NaN]);
        Run(() => Backend.MatMul(x, weight, null, y), y);
        var result = y.Floats();
        Assert.All(Enumerable.Range(0, result.Length), i => Assert.Equal(i / 9 == 1, !float.IsFinite(result[i])));
    }

    [Fact]
    public void WithoutRows_NothingIsDone_ButClearingAGradient()
    {
        TestTensor x = Random((0, 5)), weight = Random((7, 5)), y = Output((0, 7)), dWeight = Output((7, 5));
        Run(() => Backend.MatMul(x, weight, null, y));
        Run(() => Backend.MatMulBackwardWeight(y, x, dWeight, null, accumulate: false), dWeight);
        Assert.All(dWeight.Floats(), w => Assert.Equal(0, w));
    }
}
