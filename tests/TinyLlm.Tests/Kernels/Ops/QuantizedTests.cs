using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

/// <summary>The ops with 8-bit weights, against the reference with the weights that the integers stand for.</summary>
public abstract class QuantizedTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    /// <summary>Rounding of x to 16 bits: the step is a 32767th of its row's largest value.</summary>
    private const double FewRowsTolerance = 6e-5;

    private const double Tolerance = 3e-6;

    private readonly List<Arena> arenas = [];

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 63)]
    [InlineData(4, 64)]
    [InlineData(5, 65)]
    [InlineData(2, 200)]
    [InlineData(70, 640)]
    public void Quantize_IsOffByHalfAStepAtMost(int n, int k)
    {
        float[] weights = Values.Floats((long)n * k);
        float[] rounded = Dequantized(Quantized(n, k, weights), k);

        for (int row = 0; row < n; row++)
        {
            for (int first = row * k, end = first + k; first < end; first += QuantizedMatrix.BlockSize)
            {
                var block = Enumerable.Range(first, Math.Min(QuantizedMatrix.BlockSize, end - first)).ToArray();
                float largest = block.Max(i => MathF.Abs(weights[i])), step = largest / 127;
                Assert.All(block,
                    i => Assert.InRange(rounded[i], weights[i] - 0.50001f * step, weights[i] + 0.50001f * step));
                Assert.Equal(largest, block.Max(i => MathF.Abs(rounded[i])), largest * 1e-6f);
            }
        }
    }

    [Fact]
    public void Quantize_KeepsWhatTheIntegersHold()
    {
        // A block of multiples of a power of two, one of zeros, one of numbers that are next to nothing, and a large
        // weight whose block alone pays for it.
        const int size = QuantizedMatrix.BlockSize;
        var weights = new float[4 * size];
        for (int i = 0; i < size; i++)
        {
            weights[i] = (i * 254 / (size - 1) - 127) / 64f;
            weights[2 * size + i] = 1e-44f;
            weights[3 * size + i] = i == 5 ? 1e6f : 1;
        }

        float[] rounded = Dequantized(Quantized(1, weights.Length, weights), weights.Length);

        Assert.Equal(weights[..(2 * size)], rounded[..(2 * size)]);
        Assert.All(rounded[(2 * size)..(3 * size)], value => Assert.InRange(value, 0, 2e-44f));
        Assert.Equal(weights[(3 * size)..].Select(value => value == 1 ? 0 : value), rounded[(3 * size)..]);
    }

    [Theory]
    [MemberData(nameof(MatMulSizes.All), MemberType = typeof(MatMulSizes))]
    public void MatMul_MatchesReference(int m, int n, int k)
    {
        TestTensor x = Random((m, k)), bias = Random(n), y = Output((m, n)), yWithoutBias = Output((m, n));
        var weight = Quantized(n, k, Values.Floats((long)n * k));
        double[] dequantized = Array.ConvertAll(Dequantized(weight, k), v => (double)v);

        Run(() => Backend.QuantizedMatMul(x, weight, bias, y), y);
        Run(() => Backend.QuantizedMatMul(x, weight, null, yWithoutBias), yWithoutBias);

        double tolerance = m <= 16 ? FewRowsTolerance : Tolerance;
        Close("y", ReferenceOps.MatMul(x.Doubles(), dequantized, bias.Doubles(), m, n, k), y, tolerance);
        Close("y without bias", ReferenceOps.MatMul(x.Doubles(), dequantized, null, m, n, k), yWithoutBias, tolerance);
    }

    /// <summary>
    /// Inputs that 16 bits hold, the largest there are among them: what is left is the rounding of floats.
    /// </summary>
    [Theory]
    [InlineData(1, 9, 4000)]
    [InlineData(5, 7, 70)]
    [InlineData(16, 6, 33)]
    public void MatMul_OfIntegers_RoundsNoInput(int m, int n, int k)
    {
        float[] integers = Array.ConvertAll(Values.Integers((long)m * k, -32767, 32768), i => (float)i),
            signs = Array.ConvertAll(Values.Integers((long)n * k, 0, 2), i => 2f * i - 1);
        for (int row = 0; row < m; row++)
            integers[row * k] = row % 2 == 0 ? 32767 : -32767;
        TestTensor x = Of((m, k), integers), y = Output((m, n));
        var weight = Quantized(n, k, signs);

        Run(() => Backend.QuantizedMatMul(x, weight, null, y), y);

        Close("y", ReferenceOps.MatMul(x.Doubles(), Array.ConvertAll(signs, v => (double)v), null, m, n, k), y,
            Tolerance);
    }

    [Theory]
    [InlineData(2, float.NaN)]
    [InlineData(20, float.NaN)]
    [InlineData(2, float.PositiveInfinity)]
    public void MatMul_KeepsNotFiniteValuesInTheirRow(int m, float value)
    {
        TestTensor x = Random((m, 40)), y = Output((m, 9));
        x.Slice(0, 1, 1).Slice(1, 39, 1).Set([value]);
        var weight = Quantized(9, 40, Values.Floats(9 * 40));

        Run(() => Backend.QuantizedMatMul(x, weight, null, y), y);

        float[] result = y.Floats();
        Assert.All(Enumerable.Range(0, result.Length), i => Assert.Equal(i / 9 == 1, !float.IsFinite(result[i])));
    }

    [Fact]
    public void MatMul_OfZerosOrOfNoRows()
    {
        TestTensor zeros = Of((2, 5), new float[10]), none = Random((0, 5)), y = Output((2, 7)),
            nothing = Output((0, 7));
        var weight = Quantized(7, 5, Values.Floats(35));
        Run(() => Backend.QuantizedMatMul(zeros, weight, null, y), y);
        Run(() => Backend.QuantizedMatMul(none, weight, null, nothing));
        Assert.All(y.Floats(), value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(1, 1, 5)]
    [InlineData(2, 3, 32)]
    [InlineData(3, 70, 100)]
    public void Embedding_MatchesReference(int b, int t, int c)
    {
        int[] ids = Values.Integers((long)b * t, 0, 11), places = Values.Integers((long)b * t, 0, 6);
        TestTensor tokens = Integers((b, t), ids), positions = Integers((b, t), places), y = Output((b, t, c)),
            withoutPositions = Output((b, t, c));
        QuantizedMatrix table = Quantized(11, c, Values.Floats(11L * c)),
            positionTable = Quantized(6, c, Values.Floats(6L * c));
        double[] weight = Array.ConvertAll(Dequantized(table, c), v => (double)v),
            positionWeight = Array.ConvertAll(Dequantized(positionTable, c), v => (double)v);

        Run(() => Backend.QuantizedEmbedding(tokens, table, positions, positionTable, y), y);
        Run(() => Backend.QuantizedEmbedding(tokens, table, positions, null, withoutPositions), withoutPositions);

        Close("y", ReferenceOps.Embedding(ids, weight, places, positionWeight, c), y, Tolerance);
        Close("y without positions", ReferenceOps.Embedding(ids, weight, places, null, c), withoutPositions, Tolerance);
    }

    [Theory]
    [InlineData(1, 1, 2, 2)]
    [InlineData(7, 31, 33, 128)]
    [InlineData(128, 20, 3105, 3200)]
    [InlineData(600, 3, 40, 32768)]
    public void LinearCrossEntropy_MatchesReference(int n, int c, int vocabulary, int padded)
    {
        int[] targets = [.. Values.Integers(n, -vocabulary / 2 - 1, vocabulary).Select(t => Math.Max(t, -1))];
        TestTensor hidden = Random((n, c)), ids = Integers(n, targets), logProbabilities = Output(n),
            logSumExp = Output(n);

        // The padding's weights are huge: a softmax that saw them would see nothing else.
        float[] weights =
            [.. Values.Floats((long)vocabulary * c), .. Values.Floats((long)(padded - vocabulary) * c, scale: 1e20)];
        var head = Quantized(padded, c, weights);
        var expected = ReferenceOps.LinearCrossEntropy(
            hidden.Doubles(), Array.ConvertAll(Dequantized(head, c), v => (double)v), targets, c, vocabulary);

        Run(() => Backend.QuantizedLinearCrossEntropy(hidden, head, ids, vocabulary, logProbabilities, logSumExp),
            logProbabilities, logSumExp);

        Close("logProbabilities", expected.LogProbabilities, logProbabilities, Tolerance);
        Close("logSumExp", expected.LogSumExp, logSumExp, Tolerance);
    }

    private QuantizedMatrix Quantized(int n, int k, float[] weights)
    {
        var arena = new Arena(Backend, "quantized");
        arenas.Add(arena);
        var matrix = QuantizedMatrix.Plan(arena, "weight", (n, k));
        arena.Allocate();
        Backend.Quantize(weights, matrix);
        return matrix;
    }

    // What the integers stand for: every row, looked up.
    private float[] Dequantized(QuantizedMatrix matrix, int k)
    {
        int[] rows = [.. Enumerable.Range(0, matrix.Rows)];
        TestTensor ids = Integers((1, rows.Length), rows), y = Output((1, rows.Length, k));
        Run(() => Backend.QuantizedEmbedding(ids, matrix, ids, null, y), y);
        return y.Floats();
    }

    public override void Dispose()
    {
        arenas.ForEach(arena => arena.Dispose());
        base.Dispose();
    }
}
