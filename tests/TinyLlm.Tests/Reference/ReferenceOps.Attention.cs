namespace TinyLlm.Tests.Reference;

/// <summary>Sizes of an attention: q (B, Tq, H, D), k and v (B, Tk, Hkv, D).</summary>
internal sealed record AttentionSizes(int B, int Tq, int Tk, int H, int Hkv, int D)
{
    public int Q(int b, int i, int h) => ((b * Tq + i) * H + h) * D;

    /// <summary>Place of the key or value that query head <paramref name="h"/> sees.</summary>
    public int K(int b, int j, int h) => ((b * Tk + j) * Hkv + h / (H / Hkv)) * D;

    public int Probability(int b, int h, int i, int j) => ((b * H + h) * Tq + i) * Tk + j;
}

internal static partial class ReferenceOps
{
    /// <summary>
    /// Rotation of the pairs (x[i], x[i + D/2]) of x (B, T, H, D) by position / divisor * base^(-2i/D); by the opposite
    /// angle for the gradient.
    /// </summary>
    public static double[] Rope(
        double[] x, int[] positions, int heads, int headSize, double ropeBase, bool inverse = false, double divisor = 1)
    {
        var y = new double[x.Length];
        for (int row = 0; row < x.Length / headSize; row++)
        {
            for (int i = 0; i < headSize / 2; i++)
            {
                double angle = positions[row / heads] / divisor * Math.Pow(ropeBase, -2.0 * i / headSize)
                    * (inverse ? -1 : 1);
                int first = row * headSize + i, second = first + headSize / 2;
                y[first] = x[first] * Math.Cos(angle) - x[second] * Math.Sin(angle);
                y[second] = x[second] * Math.Cos(angle) + x[first] * Math.Sin(angle);
            }
        }

        return y;
    }

    /// <summary>
    /// Causal attention over the keys starts[b, i] to offsets[b] + i, with the probabilities multiplied by
    /// <paramref name="mask"/> (B, H, Tq, Tk) where there is one.
    /// </summary>
    public static (double[] Output, double[] LogSumExp) Attention(double[] q, double[] k, double[] v, AttentionSizes s,
        int[]? offsets = null, int[]? starts = null, double[]? mask = null)
    {
        double[] output = new double[q.Length], logSumExp = new double[s.B * s.H * s.Tq];
        var probabilities = Probabilities(q, k, s, offsets, starts, logSumExp);
        ForEachPair(s, (b, h, i, j) =>
        {
            int place = s.Probability(b, h, i, j);
            double p = probabilities[place] * (mask?[place] ?? 1);
            for (int d = 0; d < s.D; d++)
                output[s.Q(b, i, h) + d] += p * v[s.K(b, j, h) + d];
        });
        return (output, logSumExp);
    }

    /// <summary>
    /// Gradients of <see cref="Attention"/>, with the whole probability matrix and the Jacobian of softmax.
    /// </summary>
    public static (double[] Dq, double[] Dk, double[] Dv) AttentionBackward(
        double[] dOutput, double[] q, double[] k, double[] v, AttentionSizes s,
        int[]? offsets = null, int[]? starts = null, double[]? mask = null)
    {
        double[] dq = new double[q.Length], dk = new double[k.Length], dv = new double[v.Length];
        var p = Probabilities(q, k, s, offsets, starts, new double[s.B * s.H * s.Tq]);
        double[] dp = new double[p.Length], weighted = new double[s.B * s.H * s.Tq];
        ForEachPair(s, (b, h, i, j) =>
        {
            int place = s.Probability(b, h, i, j);
            double factor = mask?[place] ?? 1;
            for (int d = 0; d < s.D; d++)
            {
                dv[s.K(b, j, h) + d] += p[place] * factor * dOutput[s.Q(b, i, h) + d];
                dp[place] += factor * dOutput[s.Q(b, i, h) + d] * v[s.K(b, j, h) + d];
            }

            weighted[place / s.Tk] += p[place] * dp[place];
        });
        ForEachPair(s, (b, h, i, j) =>
        {
            int place = s.Probability(b, h, i, j);
            double dScore = p[place] * (dp[place] - weighted[place / s.Tk]) / Math.Sqrt(s.D);
            for (int d = 0; d < s.D; d++)
            {
                dq[s.Q(b, i, h) + d] += dScore * k[s.K(b, j, h) + d];
                dk[s.K(b, j, h) + d] += dScore * q[s.Q(b, i, h) + d];
            }
        });
        return (dq, dk, dv);
    }

    private static double[] Probabilities(
        double[] q, double[] k, AttentionSizes s, int[]? offsets, int[]? starts, double[] logSumExp)
    {
        var scores = new double[s.B * s.H * s.Tq * s.Tk];
        Array.Fill(scores, double.NegativeInfinity);
        ForEachPair(s, (b, h, i, j) =>
        {
            if (j < (starts?[b * s.Tq + i] ?? 0) || j > (offsets?[b] ?? 0) + i)
                return;
            double score = 0;
            for (int d = 0; d < s.D; d++)
                score += q[s.Q(b, i, h) + d] * k[s.K(b, j, h) + d];
            scores[s.Probability(b, h, i, j)] = score / Math.Sqrt(s.D);
        });
        for (int row = 0; row < logSumExp.Length; row++)
        {
            logSumExp[row] = LogSumExp(scores.AsSpan(row * s.Tk, s.Tk));
            for (int j = 0; j < s.Tk; j++)
                scores[row * s.Tk + j] = Math.Exp(scores[row * s.Tk + j] - logSumExp[row]);
        }

        return scores;
    }

    private static void ForEachPair(AttentionSizes s, Action<int, int, int, int> action)
    {
        for (int b = 0; b < s.B; b++)
            for (int h = 0; h < s.H; h++)
                for (int i = 0; i < s.Tq; i++)
                    for (int j = 0; j < s.Tk; j++)
                        action(b, h, i, j);
    }
}
