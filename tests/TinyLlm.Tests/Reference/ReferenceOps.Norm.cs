namespace TinyLlm.Tests.Reference;

internal static partial class ReferenceOps
{
    /// <summary>y = (x - mean) rstd weight + bias over rows of C = weight.Length elements.</summary>
    public static (double[] Y, double[] Mean, double[] Rstd) LayerNorm(
        double[] x, double[] weight, double[] bias, double epsilon)
    {
        int c = weight.Length, rows = x.Length / c;
        double[] y = new double[x.Length], mean = new double[rows], rstd = new double[rows];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < c; j++)
                mean[i] += x[i * c + j] / c;
            double variance = 0;
            for (int j = 0; j < c; j++)
                variance += Math.Pow(x[i * c + j] - mean[i], 2) / c;
            rstd[i] = 1 / Math.Sqrt(variance + epsilon);
            for (int j = 0; j < c; j++)
                y[i * c + j] = (x[i * c + j] - mean[i]) * rstd[i] * weight[j] + bias[j];
        }

        return (y, mean, rstd);
    }

    /// <summary>
    /// Gradients of <see cref="LayerNorm"/>, by the chain rule through the variance and then the mean, rather than by
    /// the closed form.
    /// </summary>
    public static (double[] Dx, double[] DWeight, double[] DBias) LayerNormBackward(
        double[] dy, double[] x, double[] weight, double epsilon)
    {
        int c = weight.Length, rows = x.Length / c;
        var (_, mean, rstd) = LayerNorm(x, weight, new double[c], epsilon);
        double[] dx = new double[x.Length], dWeight = new double[c], dBias = new double[c];
        for (int i = 0; i < rows; i++)
        {
            double dVariance = 0, dMean = 0;
            for (int j = 0; j < c; j++)
            {
                double centred = x[i * c + j] - mean[i], g = dy[i * c + j] * weight[j];
                dWeight[j] += dy[i * c + j] * centred * rstd[i];
                dBias[j] += dy[i * c + j];
                dVariance += g * centred * -0.5 * Math.Pow(rstd[i], 3);
                dMean -= g * rstd[i];
            }

            // The variance's own dependence on the mean is zero: the centred values sum to nothing.
            for (int j = 0; j < c; j++)
            {
                dx[i * c + j] = dy[i * c + j] * weight[j] * rstd[i] + dVariance * 2 * (x[i * c + j] - mean[i]) / c
                    + dMean / c;
            }
        }

        return (dx, dWeight, dBias);
    }

    /// <summary>
    /// y = x rstd weight over rows of C = weight.Length elements, rstd = 1 / sqrt(mean(x^2) + epsilon).
    /// </summary>
    public static (double[] Y, double[] Rstd) RmsNorm(double[] x, double[] weight, double epsilon)
    {
        int c = weight.Length, rows = x.Length / c;
        double[] y = new double[x.Length], rstd = new double[rows];
        for (int i = 0; i < rows; i++)
        {
            double meanSquare = 0;
            for (int j = 0; j < c; j++)
                meanSquare += x[i * c + j] * x[i * c + j] / c;
            rstd[i] = 1 / Math.Sqrt(meanSquare + epsilon);
            for (int j = 0; j < c; j++)
                y[i * c + j] = x[i * c + j] * rstd[i] * weight[j];
        }

        return (y, rstd);
    }

    /// <summary>Gradients of <see cref="RmsNorm"/>, by the chain rule through the mean square.</summary>
    public static (double[] Dx, double[] DWeight) RmsNormBackward(
        double[] dy, double[] x, double[] weight, double epsilon)
    {
        int c = weight.Length, rows = x.Length / c;
        var (_, rstd) = RmsNorm(x, weight, epsilon);
        double[] dx = new double[x.Length], dWeight = new double[c];
        for (int i = 0; i < rows; i++)
        {
            double dMeanSquare = 0;
            for (int j = 0; j < c; j++)
            {
                dWeight[j] += dy[i * c + j] * x[i * c + j] * rstd[i];
                dMeanSquare += dy[i * c + j] * weight[j] * x[i * c + j] * -0.5 * Math.Pow(rstd[i], 3);
            }

            for (int j = 0; j < c; j++)
                dx[i * c + j] = dy[i * c + j] * weight[j] * rstd[i] + dMeanSquare * 2 * x[i * c + j] / c;
        }

        return (dx, dWeight);
    }
}
