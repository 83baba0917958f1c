using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Reference;

/// <summary>
/// The reference's backward functions against central differences of its forward functions: who holds the ops is held
/// himself.
/// </summary>
public sealed class ReferenceOpsTests
{
    private readonly RandomValues values = new(3);

    [Fact]
    public void MatMul()
    {
        const int m = 3, n = 5, k = 4;
        double[] x = values.Gaussians(m * k), weight = values.Gaussians(n * k), bias = values.Gaussians(n),
            dy = values.Gaussians(m * n);
        double Loss() => ReferenceOps.Dot(dy, ReferenceOps.MatMul(x, weight, bias, m, n, k));
        var (dWeight, dBias) = ReferenceOps.MatMulBackwardWeight(dy, x, m, n, k);

        GradientCheck.Check("x", x, ReferenceOps.MatMulBackwardInput(dy, weight, m, n, k), Loss);
        GradientCheck.Check("weight", weight, dWeight, Loss);
        GradientCheck.Check("bias", bias, dBias, Loss);
    }

    [Fact]
    public void Embedding()
    {
        const int c = 3;
        int[] tokens = [1, 4, 1, 0], positions = [0, 1, 2, 0];
        double[] weight = values.Gaussians(5 * c), positionWeight = values.Gaussians(3 * c),
            dy = values.Gaussians(4 * c);
        double Loss() => ReferenceOps.Dot(dy, ReferenceOps.Embedding(tokens, weight, positions, positionWeight, c));

        GradientCheck.Check("weight", weight, ReferenceOps.EmbeddingBackward(dy, tokens, 5, c), Loss);
        GradientCheck.Check(
            "positionWeight", positionWeight, ReferenceOps.EmbeddingBackward(dy, positions, 3, c), Loss);
    }

    [Fact]
    public void LayerNorm()
    {
        const double epsilon = 1e-3;
        double[] x = values.Gaussians(4 * 7, mean: 2), weight = values.Gaussians(7), bias = values.Gaussians(7),
            dy = values.Gaussians(4 * 7);
        double Loss() => ReferenceOps.Dot(dy, ReferenceOps.LayerNorm(x, weight, bias, epsilon).Y);
        var (dx, dWeight, dBias) = ReferenceOps.LayerNormBackward(dy, x, weight, epsilon);

        GradientCheck.Check("x", x, dx, Loss);
        GradientCheck.Check("weight", weight, dWeight, Loss);
        GradientCheck.Check("bias", bias, dBias, Loss);
    }

    [Fact]
    public void Softmax()
    {
        const int c = 5;
        double[] x = values.Gaussians(3 * c), dy = values.Gaussians(3 * c);
        double Loss() => ReferenceOps.Dot(dy, ReferenceOps.Softmax(x, c));

        GradientCheck.Check("x", x, ReferenceOps.SoftmaxBackward(dy, ReferenceOps.Softmax(x, c), c), Loss);
    }

    [Fact]
    public void RmsNorm()
    {
        const double epsilon = 1e-3;
        double[] x = values.Gaussians(4 * 7), weight = values.Gaussians(7), dy = values.Gaussians(4 * 7);
        double Loss() => ReferenceOps.Dot(dy, ReferenceOps.RmsNorm(x, weight, epsilon).Y);
        var (dx, dWeight) = ReferenceOps.RmsNormBackward(dy, x, weight, epsilon);

        GradientCheck.Check("x", x, dx, Loss);
        GradientCheck.Check("weight", weight, dWeight, Loss);
    }

    [Fact]
    public void Gelu()
    {
        double[] x = values.Gaussians(40, scale: 2), dy = values.Gaussians(40);
        GradientCheck.Check("x", x, ReferenceOps.GeluBackward(dy, x), () => ReferenceOps.Dot(dy, ReferenceOps.Gelu(x)));
    }

    [Fact]
    public void SwiGlu()
    {
        double[] gateUp = values.Gaussians(2 * 3 * 5, scale: 2), dy = values.Gaussians(3 * 5);
        GradientCheck.Check(
            "gateUp", gateUp, ReferenceOps.SwiGluBackward(dy, gateUp, 5), () =>
                ReferenceOps.Dot(dy, ReferenceOps.SwiGlu(gateUp, 5)));
    }

    [Fact]
    public void Rope()
    {
        int[] positions = [0, 1, 5, 2];
        double[] x = values.Gaussians(4 * 3 * 6), dy = values.Gaussians(4 * 3 * 6);
        double Loss() => ReferenceOps.Dot(dy, ReferenceOps.Rope(x, positions, 3, 6, 100));
        GradientCheck.Check("x", x, ReferenceOps.Rope(dy, positions, 3, 6, 100, inverse: true), Loss);
    }

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(true, true, true)]
    public void Attention(bool withOffsets, bool withStarts, bool withMask)
    {
        var s = new AttentionSizes(B: 2, Tq: 4, Tk: withOffsets ? 7 : 4, H: 4, Hkv: 2, D: 3);
        int[]? offsets = withOffsets ? [3, 1] : null, starts = withStarts ? [0, 0, 2, 2, 0, 1, 1, 3] : null;
        double[]? mask = withMask ? ReferencePhilox.DropoutMask(s.B * s.H * s.Tq * s.Tk, 0.3f, 1, 2, 3, 4) : null;
        double[] q = values.Gaussians(s.B * s.Tq * s.H * s.D), k = values.Gaussians(s.B * s.Tk * s.Hkv * s.D),
            v = values.Gaussians(k.Length), dOutput = values.Gaussians(q.Length);
        double Loss() => ReferenceOps.Dot(dOutput, ReferenceOps.Attention(q, k, v, s, offsets, starts, mask).Output);
        var (dq, dk, dv) = ReferenceOps.AttentionBackward(dOutput, q, k, v, s, offsets, starts, mask);

        GradientCheck.Check("q", q, dq, Loss);
        GradientCheck.Check("k", k, dk, Loss);
        GradientCheck.Check("v", v, dv, Loss);
    }

    [Fact]
    public void LinearCrossEntropy()
    {
        const int c = 3, vocabulary = 5;
        int[] targets = [4, -1, 0, 2];
        double[] hidden = values.Gaussians(4 * c), weight = values.Gaussians((vocabulary + 2) * c),
            tokenWeights = values.Gaussians(4);
        double Loss() =>
            -ReferenceOps.Dot(
                tokenWeights, ReferenceOps.LinearCrossEntropy(hidden, weight, targets, c, vocabulary).LogProbabilities);
        var (dHidden, dWeight) =
            ReferenceOps.LinearCrossEntropyBackward(hidden, weight, targets, c, vocabulary, tokenWeights);

        GradientCheck.Check("hidden", hidden, dHidden, Loss);
        GradientCheck.Check("weight", weight, dWeight, Loss);
    }

    /// <summary>A wrong gradient must not pass: the check itself is checked.</summary>
    [Fact]
    public void GradientCheck_RefusesAWrongGradient()
    {
        double[] x = values.Gaussians(9), dy = values.Gaussians(9);
        var wrong = ReferenceOps.GeluBackward(dy, x);
        wrong[4] *= 1.001;
        Assert.ThrowsAny<Exception>(
            () => GradientCheck.Check("x", x, wrong, () => ReferenceOps.Dot(dy, ReferenceOps.Gelu(x))));
        wrong[4] = double.NaN;
        Assert.ThrowsAny<Exception>(
            () => GradientCheck.Check("x", x, wrong, () => ReferenceOps.Dot(dy, ReferenceOps.Gelu(x))));
    }
}
