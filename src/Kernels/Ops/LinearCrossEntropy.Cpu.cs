namespace TinyLlm.Kernels.Cpu;

internal sealed unsafe partial class CpuBackend<V>
{
    // 64 MiB of logits at a time: enough rows to be worth packing the head's weights once more, small beside a large model.
    private const long LogitsPerChunk = 16 << 20;

    private static int RowsPerLogitsChunk(int n, int paddedVocabulary) => (int)Math.Clamp(LogitsPerChunk / paddedVocabulary, 1, Math.Max(n, 1));

    private protected override void LinearCrossEntropyCore(Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logProbabilities, Tensor logSumExp)
    {
        int n = hidden.Shape[0], c = hidden.Shape[1], padded = weight.Shape[0], chunk = RowsPerLogitsChunk(n, padded);
        float* logits = SharedScratch(SharedLogits, (long)chunk * padded);
        for (int row = 0; row < n; row += chunk)
        {
            int rows = Math.Min(chunk, n - row);
            Multiply(rows, padded, c, new Operand(Pointer(hidden) + (long)row * c, c), new Operand(Pointer(weight), c, transposed: true), null, logits, accumulate: false);
            var kernel = new LogProbabilityKernel(logits, IntPointer(targets) + row, Pointer(logProbabilities) + row, Pointer(logSumExp) + row, rows, vocabulary, padded);
            pool.Run(kernel, Items(rows, RowsPerItem(padded)));
        }
    }

    private protected override void LinearCrossEntropyBackwardCore(Tensor hidden, Tensor weight, Tensor targets, int vocabulary, Tensor logSumExp,
        Tensor tokenWeights, Tensor dHidden, Tensor dWeight)
    {
        int n = hidden.Shape[0], c = hidden.Shape[1], padded = weight.Shape[0], chunk = RowsPerLogitsChunk(n, padded);
        float* logits = SharedScratch(SharedLogits, (long)chunk * padded);
        for (int row = 0; row < n; row += chunk)
        {
            int rows = Math.Min(chunk, n - row);
            float* x = Pointer(hidden) + (long)row * c;
            Multiply(rows, padded, c, new Operand(x, c), new Operand(Pointer(weight), c, transposed: true), null, logits, accumulate: false);
            var kernel = new LogitGradientKernel(logits, IntPointer(targets) + row, Pointer(tokenWeights) + row, Pointer(logSumExp) + row, rows, vocabulary, padded);
            pool.Run(kernel, Items(rows, RowsPerItem(padded)));
            Multiply(rows, c, padded, new Operand(logits, padded), new Operand(Pointer(weight), c), null, Pointer(dHidden) + (long)row * c, accumulate: false);
            Multiply(padded, c, rows, new Operand(logits, padded, transposed: true), new Operand(x, c), null, Pointer(dWeight), accumulate: true);
        }
    }

    private readonly struct LogProbabilityKernel(float* logits, int* targets, float* logProbabilities, float* logSumExp, int rows, int vocabulary, int padded) : IKernel
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
    private readonly struct LogitGradientKernel(float* logits, int* targets, float* tokenWeights, float* logSumExp, int rows, int vocabulary, int padded) : IKernel
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
