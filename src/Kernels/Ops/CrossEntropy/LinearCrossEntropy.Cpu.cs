namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    // 64 MiB of logits at a time: enough rows to be worth packing the head's weights once more, small beside a large
    // model.
    private const long LogitsPerChunk = 16 << 20;

    private static int RowsPerLogitsChunk(int n, int paddedVocabulary) =>
        (int)Math.Clamp(LogitsPerChunk / paddedVocabulary, 1, Math.Max(n, 1));

    private protected override void LinearCrossEntropyCore(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logProbabilities, Tensor logSumExp) =>
            LogProbabilities(
                new HeadPass(this, hidden, weight.Shape[0], targets, vocabulary, logSumExp), HeadColumns(weight),
                logProbabilities);

    private void LogProbabilities<B>(HeadPass head, B weight, Tensor logProbabilities) where B : struct, IColumns
    {
        for (int row = 0; row < head.Rows; row += head.RowsPerChunk)
        {
            head.Logits(row, weight);
            head.LogProbabilities(row, logProbabilities);
        }
    }

    private protected override void LinearCrossEntropyBackwardCore(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp,
        Tensor tokenWeights, Tensor dHidden, Tensor? dWeight, bool accumulate)
    {
        var head = new HeadPass(this, hidden, weight.Shape[0], targets, vocabulary, logSumExp);
        for (int row = 0; row < head.Rows; row += head.RowsPerChunk)
        {
            head.Logits(row, HeadColumns(weight));
            head.Gradients(row, weight, tokenWeights, dHidden, dWeight, accumulate);
        }
    }

    private protected override void LinearCrossEntropyForwardBackwardCore(
        Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor tokenWeights,
        Tensor logProbabilities, Tensor logSumExp, Tensor dHidden, Tensor? dWeight, bool accumulate)
    {
        var head = new HeadPass(this, hidden, weight.Shape[0], targets, vocabulary, logSumExp);
        for (int row = 0; row < head.Rows; row += head.RowsPerChunk)
        {
            head.Logits(row, HeadColumns(weight));
            head.LogProbabilities(row, logProbabilities);
            head.Gradients(row, weight, tokenWeights, dHidden, dWeight, accumulate);
        }
    }

    // The columns of W^T for a head W (Vpadded, C).
    private static OperandColumns HeadColumns(Tensor weight) =>
        new(new Operand(Pointer(weight), weight.Shape[1], transposed: true));

    /// <summary>
    /// A pass through the output layer, <paramref name="padded"/> rows of weights, with room for one chunk of logits:
    /// what is done with the chunk whose first row is given.
    /// </summary>
    private readonly struct HeadPass(
        CpuBackend<V> backend, Tensor hidden, int padded, Tensor targets, int vocabulary, Tensor logSumExp)
    {
        private readonly int c = hidden.Shape[1];
        private readonly float* logits =
            backend.SharedScratch(SharedLogits, (long)RowsPerLogitsChunk(hidden.Shape[0], padded) * padded);

        public int Rows => hidden.Shape[0];

        public int RowsPerChunk => RowsPerLogitsChunk(Rows, padded);

        public void Logits<B>(int row, B weight) where B : struct, IColumns =>
            backend.Multiply(
                RowsFrom(row), padded, c, new Operand(Hidden(row), c), weight, logits, accumulate: false,
                default(NoEpilogue));

        public void LogProbabilities(int row, Tensor logProbabilities)
        {
            var kernel = new LogProbabilityKernel(
                logits, IntPointer(targets) + row, Pointer(logProbabilities) + row, Pointer(logSumExp) + row,
                RowsFrom(row), vocabulary, padded);
            backend.pool.Run(kernel, Items(RowsFrom(row), RowsPerItem(padded)));
        }

        public void Gradients(
            int row, Tensor weight, Tensor tokenWeights, Tensor dHidden, Tensor? dWeight, bool accumulate)
        {
            int rows = RowsFrom(row);
            var kernel = new LogitGradientKernel(
                logits, IntPointer(targets) + row, Pointer(tokenWeights) + row, Pointer(logSumExp) + row, rows,
                vocabulary, padded);
            backend.pool.Run(kernel, Items(rows, RowsPerItem(padded)));
            backend.Multiply(
                rows, c, padded, new Operand(logits, padded), new Operand(Pointer(weight), c),
                Pointer(dHidden) + (long)row * c, accumulate: false, default(NoEpilogue));
            if (dWeight is { } sums)
            {
                backend.Multiply(
                    padded, c, rows, new Operand(logits, padded, transposed: true), new Operand(Hidden(row), c),
                    Pointer(sums), accumulate || row > 0, default(NoEpilogue));
            }
        }

        private float* Hidden(int row) => Pointer(hidden) + (long)row * c;

        private int RowsFrom(int row) => Math.Min(RowsPerChunk, Rows - row);
    }

    private readonly struct LogProbabilityKernel(
        float* logits, int* targets, float* logProbabilities, float* logSumExp, int rows, int vocabulary, int padded)
        : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, padded);
            for (int row = first; row < end; row++)
            {
                float* x = logits + (long)row * padded;
                float max = MaxOfRow(x, vocabulary);
                float lse = max + MathF.Log(SumOfExp(x, vocabulary, max));
                logSumExp[row] = lse;
                logProbabilities[row] = targets[row] < 0 ? 0 : x[targets[row]] - lse;
            }
        }
    }

    // In place: logits become dLogits = weight (softmax - one-hot), with zeros in the padding.
    private readonly struct LogitGradientKernel(
        float* logits, int* targets, float* tokenWeights, float* logSumExp, int rows, int vocabulary, int padded)
        : IKernel
    {
        public void Run(int item, int thread)
        {
            var (first, end) = RowsOf(item, rows, padded);
            for (int row = first; row < end; row++)
            {
                float* x = logits + (long)row * padded;
                if (targets[row] < 0 || tokenWeights[row] == 0)
                {
                    new Span<float>(x, padded).Clear();
                    continue;
                }

                V lse = V.Create(logSumExp[row]), scale = V.Create(tokenWeights[row]);
                for (int i = 0; i < vocabulary; i += V.Width)
                    V.Store(x + i, VectorMath.Exp(V.Load(x + i, vocabulary - i) - lse) * scale, vocabulary - i);
                x[targets[row]] -= tokenWeights[row];
                new Span<float>(x + vocabulary, padded - vocabulary).Clear();
            }
        }
    }

    private static float MaxOfRow(float* x, int n)
    {
        if (n < V.Width)
        {
            float max = x[0];
            for (int j = 1; j < n; j++)
                max = MathF.Max(max, x[j]);
            return max;
        }

        // The last vector overlaps the one before: a maximum may see an element twice.
        V result = V.Load(x + n - V.Width);
        for (int i = 0; i + V.Width <= n; i += V.Width)
            result = V.Max(result, V.Load(x + i));
        return V.MaxAcross(result);
    }

    // sum_i e^(x[i] - shift); the sum of whole vectors, then of the rest one by one.
    private static float SumOfExp(float* x, int n, float shift)
    {
        V sum = V.Zero, s = V.Create(shift);
        int i = 0;
        for (; i + V.Width <= n; i += V.Width)
            sum += VectorMath.Exp(V.Load(x + i) - s);
        float total = V.Sum(sum);
        for (; i < n; i++)
            total += MathF.Exp(x[i] - shift);
        return total;
    }
}
