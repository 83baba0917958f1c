using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class MuonTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    /// <summary>Elements and clip; the norm of the gradients is about the root of the count.</summary>
    [Theory]
    [InlineData(1, 0f)]
    [InlineData(7, 1f)]
    [InlineData(33, 1f)]
    [InlineData(1001, 1000f)]
    [InlineData(100001, 1f)]
    public void Momentum_MatchesReference(int count, float clip)
    {
        TestTensor g = Random(count), m = Random(count), update = Output(count), sumSquares = Output(1);
        double norm = Math.Sqrt(ReferenceOps.SumSquares(g.Doubles()));
        sumSquares.Set([(float)(norm * norm)]);
        double[] expectedM = m.Doubles();

        for (int i = 0; i < 2; i++)
        {
            double[] expected = ReferenceOps.MuonMomentum(g.Doubles(), expectedM, norm, 0.95f, clip);
            Run(() => Backend.MuonMomentum(g, m, update, sumSquares, 0.95f, clip), m, update);
            Close("momentum", expectedM, m, 1e-6);
            Close("update", expected, update, 1e-6);
        }
    }

    [Theory]
    [InlineData(1, 0f)]
    [InlineData(33, 0.1f)]
    [InlineData(100001, 0.1f)]
    public void Step_MatchesReference(int count, float weightDecay)
    {
        TestTensor p = Random(count), direction = Random(count), sumSquares = Of(1, [4]),
            state = State(learningRate: 3e-3f);
        double[] expected = p.Doubles();
        ReferenceOps.MuonStep(expected, direction.Doubles(), 3e-3f * 25.0, 2, weightDecay);
        Run(() => Backend.MuonStep(p, direction, sumSquares, state, 25, 2, weightDecay), p);
        Close("parameters", expected, p, 5e-7);
    }

    [Theory]
    [InlineData(float.NaN, 1f)]
    [InlineData(float.NaN, 0f)]
    [InlineData(float.PositiveInfinity, 1f)]
    [InlineData(float.PositiveInfinity, 0f)]
    public void NotFiniteNorm_ChangesNothing(float squares, float clip)
    {
        TestTensor p = Random(100), g = Random(100), m = Random(100), update = Random(100), sumSquares = Of(1, squares),
            state = State();
        g.Slice(0, 50, 1).Set([squares]);
        Run(() => Backend.MuonMomentum(g, m, update, sumSquares, 0.95f, clip));
        update.Set(g.Floats());
        Run(() => Backend.MuonStep(p, update, sumSquares, state, 1, 1, 0.1f));
    }
}
