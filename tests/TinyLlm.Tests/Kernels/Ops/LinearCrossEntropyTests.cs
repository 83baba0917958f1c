using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class LinearCrossEntropyTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const double Tolerance = 2e-6, GradientTolerance = 1e-5;

    /// <summary>
    /// Rows, width, vocabulary, its padded size. The last head is so large that the rows come in several chunks of
    /// logits; only the padding makes it so, which costs the reference nothing.
    /// </summary>
    [Theory]
    [InlineData(1, 1, 2, 2)]
    [InlineData(7, 31, 33, 128)]
    [InlineData(33, 65, 128, 128)]
    [InlineData(65, 7, 1, 7)]
    [InlineData(65, 33, 200, 256)]
    [InlineData(128, 20, 3105, 3200)]
    [InlineData(600, 3, 40, 32768)]
    public void ForwardAndBackward_MatchReference(int n, int c, int vocabulary, int padded)
    {
        // A third of the tokens is not scored. The padding's weights are huge: a softmax that saw them would see
        // nothing else.
        var targets = Values.Integers(n, -vocabulary / 2 - 1, vocabulary).Select(t => Math.Max(t, -1)).ToArray();
        targets[0] = vocabulary - 1;
        TestTensor hidden = Random((n, c)), weight = Random((padded, c)), ids = Integers(n, targets),
            logProbabilities = Output(n), logSumExp = Output(n);
        weight.Slice(0, vocabulary, padded - vocabulary)
            .Set(Values.Floats((long)(padded - vocabulary) * c, scale: 1e20));
        var expected = ReferenceOps.LinearCrossEntropy(hidden.Doubles(), weight.Doubles(), targets, c, vocabulary);

        Run(() => Backend.LinearCrossEntropy(hidden, weight, ids, vocabulary, logProbabilities, logSumExp),
            logProbabilities, logSumExp);

        // With a vocabulary of one every probability is one; what is left are rounding errors of the logits.
        if (vocabulary > 1)
            Close("logProbabilities", expected.LogProbabilities, logProbabilities, Tolerance);
        Close("logSumExp", expected.LogSumExp, logSumExp, Tolerance);
        Assert.All(targets.Index(), t => Assert.True(t.Item >= 0 || logProbabilities.Floats()[t.Index] == 0));

        // Weights of both signs, as DPO has them; the row that comes first counts nothing although it is scored.
        TestTensor tokenWeights = Random(n), dHidden = Output((n, c)), dWeight = Random((padded, c)),
            exact = Of(n, expected.LogSumExp), overwritten = Output((padded, c));
        if (n > 1)
            tokenWeights.Slice(0, 0, 1).Set([0]);
        var (expectedHidden, expectedWeight) = ReferenceOps.LinearCrossEntropyBackward(
            hidden.Doubles(), weight.Doubles(), targets, c, vocabulary, tokenWeights.Doubles());
        var before = dWeight.Doubles();

        Run(() => Backend.LinearCrossEntropyBackward(
            hidden, weight, ids, vocabulary, exact, tokenWeights, dHidden, dWeight), dHidden, dWeight);
        Run(() => Backend.LinearCrossEntropyBackward(
            hidden, weight, ids, vocabulary, exact, tokenWeights, dHidden, overwritten, accumulate: false), dHidden,
            overwritten);

        if (vocabulary > 1)
            Close("dHidden", expectedHidden, dHidden, GradientTolerance);
        Close("dWeight", ReferenceOps.Add(before, expectedWeight), dWeight, GradientTolerance);
        if (vocabulary > 1)
            Close("dWeight overwritten", expectedWeight, overwritten, GradientTolerance);
        Compare.SameBits(
            "dWeight of the padding", before.Skip(vocabulary * c).Select(v => (float)v).ToArray(),
            dWeight.Floats().AsSpan(vocabulary * c));
    }

    /// <summary>
    /// The pass that does both at once gives what the two give one after the other, in one chunk and in several.
    /// </summary>
    [Theory]
    [InlineData(1, 1, 2, 2)]
    [InlineData(65, 33, 200, 256)]
    [InlineData(600, 3, 40, 32768)]
    public void ForwardBackward_IsForwardAndBackward(int n, int c, int vocabulary, int padded)
    {
        TestTensor hidden = Random((n, c)), weight = Random((padded, c)),
            ids = Integers(n, [.. Values.Integers(n, -5, vocabulary).Select(t => Math.Max(t, -1))]),
            weights = Random(n);
        TestTensor logProbabilities = Output(n), logSumExp = Output(n), dHidden = Output((n, c)),
            dWeight = Random((padded, c));
        TestTensor sameLogProbabilities = Output(n), sameLogSumExp = Output(n), sameHidden = Output((n, c)),
            sameWeight = Output((padded, c)).Set(dWeight.Floats());
        TestTensor overwritten = Output((padded, c)), sameOverwritten = Output((padded, c));

        Run(() => Backend.LinearCrossEntropy(hidden, weight, ids, vocabulary, logProbabilities, logSumExp),
            logProbabilities, logSumExp);
        Run(() => Backend.LinearCrossEntropyBackward(
            hidden, weight, ids, vocabulary, logSumExp, weights, dHidden, dWeight), dHidden, dWeight);
        Run(() => Backend.LinearCrossEntropyForwardBackward(
            hidden, weight, ids, vocabulary, weights, sameLogProbabilities, sameLogSumExp, sameHidden, sameWeight),
            sameLogProbabilities, sameLogSumExp, sameHidden, sameWeight);
        Run(() => Backend.LinearCrossEntropyBackward(
            hidden, weight, ids, vocabulary, logSumExp, weights, dHidden, overwritten, accumulate: false), dHidden,
            overwritten);
        Run(() => Backend.LinearCrossEntropyForwardBackward(
            hidden, weight, ids, vocabulary, weights, sameLogProbabilities, sameLogSumExp, sameHidden, sameOverwritten,
            accumulate: false),
            sameLogProbabilities, sameLogSumExp, sameHidden, sameOverwritten);

        Compare.SameBits("logProbabilities", logProbabilities.Floats(), sameLogProbabilities.Floats());
        Compare.SameBits("logSumExp", logSumExp.Floats(), sameLogSumExp.Floats());
        Compare.SameBits("dHidden", dHidden.Floats(), sameHidden.Floats());
        Compare.SameBits("dWeight", dWeight.Floats(), sameWeight.Floats());
        Compare.SameBits("dWeight overwritten", overwritten.Floats(), sameOverwritten.Floats());
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
    public void Hidden_MayHaveTheShapeOfABatch()
    {
        int[] targets = [0, 1, 2, -1, 4, 0];
        TestTensor hidden = Random((2, 3, 5)), weight = Random((8, 5)), ids = Integers((2, 3), targets),
            logProbabilities = Output(6), logSumExp = Output(6);
        Run(() => Backend.LinearCrossEntropy(hidden, weight, ids, 7, logProbabilities, logSumExp), logProbabilities,
            logSumExp);
        Close("logProbabilities",
            ReferenceOps.LinearCrossEntropy(hidden.Doubles(), weight.Doubles(), targets, 5, 7).LogProbabilities,
            logProbabilities, Tolerance);
    }
}
