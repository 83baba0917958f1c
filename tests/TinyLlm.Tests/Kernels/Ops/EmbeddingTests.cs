using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class EmbeddingTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(2, 7, 5, 31)]
    [InlineData(3, 33, 128, 65)]
    [InlineData(4, 65, 50, 200)]
    public void ForwardAndBackward_MatchReference(int b, int t, int vocabulary, int c)
    {
        int context = t + 3;
        int[] tokens = Values.Integers(b * t, 0, vocabulary), positions = Values.Integers(b * t, 0, context);
        TestTensor ids = Integers((b, t), tokens), places = Integers((b, t), positions),
            weight = Random((vocabulary, c)), positionWeight = Random((context, c));
        TestTensor y = Output((b, t, c)), yAlone = Output((b, t, c)), dy = Random((b, t, c)),
            dWeight = Random((vocabulary, c)), dPositionWeight = Random((context, c));

        Run(() => Backend.Embedding(ids, weight, places, positionWeight, y), y);
        Run(() => Backend.Embedding(ids, weight, places, null, yAlone), yAlone);
        Close("y", ReferenceOps.Embedding(tokens, weight.Doubles(), positions, positionWeight.Doubles(), c), y, 1e-7);
        Close("y without positions", ReferenceOps.Embedding(tokens, weight.Doubles(), positions, null, c), yAlone, 0);

        double[] expected = ReferenceOps.EmbeddingBackward(dy.Doubles(), tokens, vocabulary, c),
            before = dWeight.Doubles();
        double[] expectedPosition = ReferenceOps.EmbeddingBackward(dy.Doubles(), positions, context, c),
            positionBefore = dPositionWeight.Doubles();
        Run(() => Backend.EmbeddingBackward(dy, ids, dWeight, places, dPositionWeight), dWeight, dPositionWeight);
        Close("dWeight", ReferenceOps.Add(before, expected), dWeight, 5e-7);
        Close("dPositionWeight", ReferenceOps.Add(positionBefore, expectedPosition), dPositionWeight, 5e-7);

        Run(() => Backend.EmbeddingBackward(dy, ids, dWeight, places, null), dWeight);
        Close("dWeight twice", ReferenceOps.Add(ReferenceOps.Add(before, expected), expected), dWeight, 5e-7);
    }
}
