using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class AdamWTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private const float LearningRate = 3e-3f, Beta1 = 0.9f, Beta2 = 0.95f;

    /// <summary>Elements, step, weight decay, clip; the norm of the gradients is about the root of the count.</summary>
    [Theory]
    [InlineData(1, 0, 0.1f, 0f)]
    [InlineData(7, 0, 0f, 1f)]
    [InlineData(33, 10, 0.1f, 1f)]
    [InlineData(1001, 3, 0.1f, 1000f)]
    [InlineData(100001, 100000, 0.01f, 1f)]
    public void Forward_MatchesReference(int count, int step, float weightDecay, float clip)
    {
        var settings = new AdamWSettings(Beta1, Beta2, 1e-8f, weightDecay, clip);
        TestTensor p = Random(count), g = Random(count), m = Random(count, scale: 0.1), v = Random(count),
            sumSquares = Output(1), state = State(step: step, learningRate: LearningRate, beta1: Beta1, beta2: Beta2);
        v.Set(v.Floats().Select(x => x * x * 0.1f).ToArray());
        double norm = Math.Sqrt(ReferenceOps.SumSquares(g.Doubles()));
        sumSquares.Set([(float)(norm * norm)]);
        double[] expectedP = p.Doubles(), expectedM = m.Doubles(), expectedV = v.Doubles();

        for (int i = 0; i < 2; i++)
        {
            ReferenceOps.AdamW(
                expectedP, g.Doubles(), expectedM, expectedV, norm, step, LearningRate, Beta1, Beta2, 1e-8f,
                weightDecay, clip);
            Run(() => Backend.AdamW(p, g, m, v, sumSquares, state, settings), p, m, v);
            Close("parameters", expectedP, p, 5e-7);
            Close("m", expectedM, m, 1e-6);
            Close("v", expectedV, v, 1e-6);
        }
    }

    /// <summary>
    /// From zero moments the first step moves every parameter by the learning rate against the sign of its gradient.
    /// </summary>
    [Fact]
    public void FirstStep_IsTheSignOfTheGradient()
    {
        TestTensor p = Of(4, [1, 1, 1, 1]), g = Of(4, [1e-3f, -1e-3f, 50, 0]), m = Of(4, new float[4]),
            v = Of(4, new float[4]), sumSquares = Of(1, [2500]),
            state = State(step: 0, learningRate: 0.25f, beta1: Beta1, beta2: Beta2);
        Run(() => Backend.AdamW(p, g, m, v, sumSquares, state, new AdamWSettings(Beta1, Beta2, 1e-12f, 0, 0)), p, m, v);
        Close("parameters", [0.75, 1.25, 0.75, 1], p, 1e-6);
    }

    [Theory]
    [InlineData(float.NaN, 1f)]
    [InlineData(float.NaN, 0f)]
    [InlineData(float.PositiveInfinity, 1f)]
    [InlineData(float.PositiveInfinity, 0f)]
    public void NotFiniteNorm_ChangesNothing(float squares, float clip)
    {
        TestTensor p = Random(100), g = Random(100), m = Random(100), v = Random(100, mean: 9),
            sumSquares = Of(1, squares), state = State();
        g.Slice(0, 50, 1).Set([squares]);
        Run(() => Backend.AdamW(p, g, m, v, sumSquares, state, new AdamWSettings(Beta1, Beta2, 1e-8f, 0.1f, clip)));
    }
}
