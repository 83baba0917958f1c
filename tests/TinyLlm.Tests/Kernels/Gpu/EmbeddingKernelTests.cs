using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// Lookup tables of GPU kernels in both element types, at sizes that the simulator does in a second or so;
/// Ops/EmbeddingTests.cs has larger ones.
/// </summary>
public abstract class EmbeddingKernelTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(1, 1, 1, 1, DType.F32)]
    [InlineData(2, 7, 5, 31, DType.F32)]
    [InlineData(1, 3, 2, 300, DType.F32)]
    [InlineData(1, 1, 1, 1, DType.BF16)]
    [InlineData(2, 7, 5, 31, DType.BF16)]
    public void ForwardAndBackward_MatchReference(int b, int t, int vocabulary, int c, DType dtype)
    {
        int context = t + 3;
        int[] tokens = Values.Integers(b * t, 0, vocabulary), positions = Values.Integers(b * t, 0, context);
        TestTensor ids = Integers((b, t), tokens), places = Integers((b, t), positions), y = Output((b, t, c), dtype),
            yAlone = Output((b, t, c), dtype);
        TestTensor weight = Random((vocabulary, c), dtype: dtype), positionWeight = Random((context, c), dtype: dtype);
        TestTensor dy = Random((b, t, c), dtype: dtype), dWeight = Random((vocabulary, c)),
            dPositionWeight = Random((context, c));

        Run(() => Backend.Embedding(ids, weight, places, positionWeight, y), y);
        Run(() => Backend.Embedding(ids, weight, places, null, yAlone), yAlone);
        Close("y", ReferenceOps.Embedding(tokens, weight.Doubles(), positions, positionWeight.Doubles(), c), y,
            dtype == DType.BF16 ? 4e-3 : 1e-7);
        Close("y without positions", ReferenceOps.Embedding(tokens, weight.Doubles(), positions, null, c), yAlone, 0);

        double[] expected =
            ReferenceOps.Add(dWeight.Doubles(), ReferenceOps.EmbeddingBackward(dy.Doubles(), tokens, vocabulary, c));
        double[] expectedPosition = ReferenceOps.Add(
            dPositionWeight.Doubles(), ReferenceOps.EmbeddingBackward(dy.Doubles(), positions, context, c));
        Run(() => Backend.EmbeddingBackward(dy, ids, dWeight, places, dPositionWeight), dWeight, dPositionWeight);
        Close("dWeight", expected, dWeight, 5e-7);
        Close("dPositionWeight", expectedPosition, dPositionWeight, 5e-7);
    }

    /// <summary>
    /// More rows than a chunk and than a group has threads, or than it looks through at once: one token fills most of
    /// the batch, others come once or late, some never.
    /// </summary>
    [Theory]
    [InlineData(270)]
    [InlineData(1090)]
    public void Backward_SumsOverChunks(int rows)
    {
        const int c = 3, vocabulary = 1100;
        int[] tokens = Enumerable.Range(0, rows)
            .Select(i => i is 5 or 140 or 266 or 269 or 1024 or 1089 ? i : i % 7 == 6 ? 6 + i / 50 : 1).ToArray();
        TestTensor ids = Integers((1, rows), tokens), dy = Random((1, rows, c)), dWeight = Random((vocabulary, c));
        double[] expected =
            ReferenceOps.Add(dWeight.Doubles(), ReferenceOps.EmbeddingBackward(dy.Doubles(), tokens, vocabulary, c));
        Run(() => Backend.EmbeddingBackward(dy, ids, dWeight, ids, null), dWeight);
        Close("dWeight", expected, dWeight, 5e-7);
    }
}
