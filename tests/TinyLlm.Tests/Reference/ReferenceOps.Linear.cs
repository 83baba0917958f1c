namespace TinyLlm.Tests.Reference;

/// <summary>
/// The ops in double precision, as plain as the formulas: what the real ones are held against. Arrays are row-major;
/// every backward function returns the gradients alone, computed from the inputs and without anything that a forward
/// pass saved.
/// </summary>
internal static partial class ReferenceOps
{
    /// <summary>y (M, N) = x (M, K) W^T + b, with W (N, K).</summary>
    public static double[] MatMul(double[] x, double[] weight, double[]? bias, int m, int n, int k)
    {
        var y = new double[m * n];
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double sum = bias is null ? 0 : bias[j];
                for (int l = 0; l < k; l++)
                    sum += x[i * k + l] * weight[j * k + l];
                y[i * n + j] = sum;
            }
        }

        return y;
    }

    /// <summary>dx (M, K) = dy (M, N) W.</summary>
    public static double[] MatMulBackwardInput(double[] dy, double[] weight, int m, int n, int k)
    {
        var dx = new double[m * k];
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                for (int l = 0; l < k; l++)
                    dx[i * k + l] += dy[i * n + j] * weight[j * k + l];
        return dx;
    }

    /// <summary>dW (N, K) = dy^T x and db (N) = sum over the rows of dy.</summary>
    public static (double[] DWeight, double[] DBias) MatMulBackwardWeight(double[] dy, double[] x, int m, int n, int k)
    {
        double[] dWeight = new double[n * k], dBias = new double[n];
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                dBias[j] += dy[i * n + j];
                for (int l = 0; l < k; l++)
                    dWeight[j * k + l] += dy[i * n + j] * x[i * k + l];
            }
        }

        return (dWeight, dBias);
    }

    /// <summary>y[i] = weight[tokens[i]] + positionWeight[positions[i]], rows of C.</summary>
    public static double[] Embedding(int[] tokens, double[] weight, int[] positions, double[]? positionWeight, int c)
    {
        var y = new double[tokens.Length * c];
        for (int i = 0; i < tokens.Length; i++)
            for (int j = 0; j < c; j++)
            {
                y[i * c + j] = weight[tokens[i] * c + j]
                    + (positionWeight is null ? 0 : positionWeight[positions[i] * c + j]);
            }

        return y;
    }

    /// <summary>Gradient of one table of <see cref="Embedding"/>: dWeight[rows[i]] is the sum of the dy[i].</summary>
    public static double[] EmbeddingBackward(double[] dy, int[] rows, int tableRows, int c)
    {
        var dWeight = new double[tableRows * c];
        for (int i = 0; i < rows.Length; i++)
            for (int j = 0; j < c; j++)
                dWeight[rows[i] * c + j] += dy[i * c + j];
        return dWeight;
    }

    /// <summary>
    /// Log softmax of the first V logits at the targets (0 where negative), and the log of the sum of the exponentials.
    /// </summary>
    public static (double[] LogProbabilities, double[] LogSumExp) LinearCrossEntropy(
        double[] hidden, double[] weight, int[] targets, int c, int vocabulary)
    {
        int n = targets.Length;
        double[] logits = MatMul(hidden, weight, null, n, vocabulary, c), logProbabilities = new double[n],
            logSumExp = new double[n];
        for (int i = 0; i < n; i++)
        {
            var row = logits.AsSpan(i * vocabulary, vocabulary);
            logSumExp[i] = LogSumExp(row);
            logProbabilities[i] = targets[i] < 0 ? 0 : row[targets[i]] - logSumExp[i];
        }

        return (logProbabilities, logSumExp);
    }

    /// <summary>
    /// Gradients of -sum_n tokenWeights[n] logProbabilities[n]; dWeight has as many rows as weight, those from V on
    /// zero.
    /// </summary>
    public static (double[] DHidden, double[] DWeight) LinearCrossEntropyBackward(
        double[] hidden, double[] weight, int[] targets, int c, int vocabulary,
        double[] tokenWeights)
    {
        int n = targets.Length;
        var dLogits = MatMul(hidden, weight, null, n, vocabulary, c);
        for (int i = 0; i < n; i++)
        {
            var row = dLogits.AsSpan(i * vocabulary, vocabulary);
            double logSumExp = LogSumExp(row);
            for (int v = 0; v < vocabulary; v++)
            {
                row[v] = targets[i] < 0 ? 0
                    : tokenWeights[i] * (Math.Exp(row[v] - logSumExp) - (v == targets[i] ? 1 : 0));
            }
        }

        var dWeight = MatMulBackwardWeight(dLogits, hidden, n, vocabulary, c).DWeight;
        Array.Resize(ref dWeight, weight.Length);
        return (MatMulBackwardInput(dLogits, weight, n, vocabulary, c), dWeight);
    }

    private static double LogSumExp(ReadOnlySpan<double> values)
    {
        double largest = double.NegativeInfinity, sum = 0;
        foreach (double value in values)
            largest = Math.Max(largest, value);
        foreach (double value in values)
            sum += Math.Exp(value - largest);
        return largest + Math.Log(sum);
    }
}
