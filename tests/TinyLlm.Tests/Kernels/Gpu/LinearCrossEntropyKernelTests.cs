using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// The loss of GPU kernels in both element types, at sizes that the simulator does in a second or so;
/// Ops/LinearCrossEntropyTests.cs has larger ones.
/// </summary>
public abstract class LinearCrossEntropyKernelTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    /// <summary>Rows, width, vocabulary, its padded size: fewer and more than the threads of a group.</summary>
    [Theory]
    [InlineData(1, 1, 2, 2, DType.F32)]
    [InlineData(11, 17, 33, 64, DType.F32)]
    [InlineData(5, 7, 300, 320, DType.F32)]
    [InlineData(1, 1, 2, 2, DType.BF16)]
    [InlineData(11, 17, 33, 64, DType.BF16)]
    [InlineData(5, 7, 300, 320, DType.BF16)]
    public void ForwardAndBackward_MatchReference(int n, int c, int vocabulary, int padded, DType dtype)
    {
        // BF16 logits are off by up to 2^-8 of themselves; as exponents that makes probabilities off by as much times
        // the logit.
        bool half = dtype == DType.BF16;
        double tolerance = half ? 5e-3 : 2e-6, gradientTolerance = half ? 1e-2 : 1e-5;

        // Some tokens are not scored. The padding's weights are huge: a softmax that saw them would see nothing else.
        var targets = Values.Integers(n, -vocabulary / 2 - 1, vocabulary).Select(t => Math.Max(t, -1)).ToArray();
        targets[0] = vocabulary - 1;
        TestTensor hidden = Random((n, c), scale: 0.5, dtype: dtype), weight = Random((padded, c), dtype: dtype),
            ids = Integers(n, targets);
        TestTensor logProbabilities = Output(n), logSumExp = Output(n);
        weight.Slice(0, vocabulary, padded - vocabulary)
            .Set(Values.Floats((long)(padded - vocabulary) * c, scale: 1e20));
        var expected = ReferenceOps.LinearCrossEntropy(hidden.Doubles(), weight.Doubles(), targets, c, vocabulary);

        Run(() => Backend.LinearCrossEntropy(hidden, weight, ids, vocabulary, logProbabilities, logSumExp),
            logProbabilities, logSumExp);

        Close("logProbabilities", expected.LogProbabilities, logProbabilities, tolerance);
        Close("logSumExp", expected.LogSumExp, logSumExp, tolerance);
        Assert.All(targets.Index(), t => Assert.True(t.Item >= 0 || logProbabilities.Floats()[t.Index] == 0));

        // Weights of both signs, as DPO has them; the last row counts nothing, scored or not.
        TestTensor tokenWeights = Random(n), dHidden = Output((n, c), dtype), dWeight = Random((padded, c));
        if (n > 1)
            tokenWeights.Slice(0, n - 1, 1).Set([0]);
        var (expectedHidden, expectedWeight) = ReferenceOps.LinearCrossEntropyBackward(
            hidden.Doubles(), weight.Doubles(), targets, c, vocabulary, tokenWeights.Doubles());
        var before = dWeight.Doubles();

        Run(() => Backend.LinearCrossEntropyBackward(
            hidden, weight, ids, vocabulary, logSumExp, tokenWeights, dHidden, dWeight), dHidden, dWeight);

        Close("dHidden", expectedHidden, dHidden, gradientTolerance);
        Close("dWeight", ReferenceOps.Add(before, expectedWeight), dWeight, gradientTolerance);
        Compare.SameBits(
            "dWeight of the padding", before.Skip(vocabulary * c).Select(v => (float)v).ToArray(),
            dWeight.Floats().AsSpan(vocabulary * c));
    }

    [Fact]
    public void LogitsOfSomeThousands_DoNotOverflow()
    {
        TestTensor hidden = Of((2, 1), [1000, -1000]), weight = Of((4, 1), [1, 2, 3, 4]), ids = Integers(2, 0, 0),
            logProbabilities = Output(2), logSumExp = Output(2);
        Run(() => Backend.LinearCrossEntropy(hidden, weight, ids, 4, logProbabilities, logSumExp), logProbabilities,
            logSumExp);
        Assert.Equal([-3000, 0], logProbabilities.Floats());
        Assert.Equal([4000, -1000], logSumExp.Floats());
    }

    [Fact]
    public void NotFiniteLogits_ShowInTheirRow()
    {
        TestTensor hidden = Of((2, 1), [float.NaN, 1]), weight = Of((3, 1), [1, 2, 3]), ids = Integers(2, 0, 0),
            logProbabilities = Output(2), logSumExp = Output(2);
        Run(() => Backend.LinearCrossEntropy(hidden, weight, ids, 3, logProbabilities, logSumExp), logProbabilities,
            logSumExp);
        Assert.Equal([false, true], logProbabilities.Floats().Select(float.IsFinite));
    }
}
