namespace TinyLlm.Tests.Reference;

internal static partial class ReferenceOps
{
    public static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    public static double[] Multiply(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x * y)];

    /// <summary>y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).</summary>
    public static double[] Gelu(double[] x) => Array.ConvertAll(x, v => v / 2 * (1 + Math.Tanh(GeluArgument(v))));

    public static double[] GeluBackward(double[] dy, double[] x)
    {
        var dx = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            // d tanh(u) = 1 / cosh(u)^2, which overflows to the right limit, zero.
            double u = GeluArgument(x[i]), du = Math.Sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x[i] * x[i]);
            dx[i] = dy[i] * (0.5 * (1 + Math.Tanh(u)) + x[i] / 2 * du / (Math.Cosh(u) * Math.Cosh(u)));
        }

        return dx;
    }

    /// <summary>y = gate / (1 + e^-gate) up, where each row of 2F holds F gates, then F ups.</summary>
    public static double[] SwiGlu(double[] gateUp, int f)
    {
        var y = new double[gateUp.Length / 2];
        for (int i = 0; i < y.Length; i++)
        {
            double gate = gateUp[i / f * 2 * f + i % f], up = gateUp[i / f * 2 * f + f + i % f];
            y[i] = gate / (1 + Math.Exp(-gate)) * up;
        }

        return y;
    }

    public static double[] SwiGluBackward(double[] dy, double[] gateUp, int f)
    {
        var dGateUp = new double[gateUp.Length];
        for (int i = 0; i < dy.Length; i++)
        {
            int gatePlace = i / f * 2 * f + i % f, upPlace = gatePlace + f;
            double gate = gateUp[gatePlace], sigmoid = 1 / (1 + Math.Exp(-gate));

            // (g s(g))' = s + g s (1 - s)
            dGateUp[gatePlace] = dy[i] * gateUp[upPlace] * (sigmoid + gate * sigmoid * (1 - sigmoid));
            dGateUp[upPlace] = dy[i] * gate * sigmoid;
        }

        return dGateUp;
    }

    /// <summary>e^x over the sum of the e^x in each row of <paramref name="c"/>.</summary>
    public static double[] Softmax(double[] x, int c)
    {
        var y = new double[x.Length];
        for (int row = 0; row < x.Length; row += c)
        {
            double logSumExp = LogSumExp(x.AsSpan(row, c));
            for (int i = row; i < row + c; i++)
                y[i] = Math.Exp(x[i] - logSumExp);
        }

        return y;
    }

    /// <summary>
    /// Gradient of <see cref="Softmax"/>, by its whole Jacobian dy[i] / dx[j] = y[i] ((i == j) - y[j]), from what the
    /// forward pass gave.
    /// </summary>
    public static double[] SoftmaxBackward(double[] dy, double[] y, int c)
    {
        var dx = new double[y.Length];
        for (int row = 0; row < y.Length; row += c)
            for (int i = row; i < row + c; i++)
                for (int j = row; j < row + c; j++)
                    dx[j] += dy[i] * y[i] * ((i == j ? 1 : 0) - y[j]);
        return dx;
    }

    public static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    public static double SumSquares(double[] x) => Dot(x, x);

    /// <summary>
    /// One step of AdamW in place, gradients scaled by min(1, clip / (norm + 1e-6)) where clip is not 0; nothing where
    /// the norm is not finite.
    /// </summary>
    public static void AdamW(double[] parameters, double[] gradients, double[] m, double[] v, double norm, int step,
        double learningRate, double beta1, double beta2, double epsilon, double weightDecay, double clip)
    {
        if (!double.IsFinite(norm))
            return;
        double scale = clip == 0 ? 1 : Math.Min(1, clip / (norm + 1e-6));
        for (int i = 0; i < parameters.Length; i++)
        {
            double g = gradients[i] * scale;
            m[i] = beta1 * m[i] + (1 - beta1) * g;
            v[i] = beta2 * v[i] + (1 - beta2) * g * g;
            double mean = m[i] / (1 - Math.Pow(beta1, step + 1)), meanSquare = v[i] / (1 - Math.Pow(beta2, step + 1));
            parameters[i] = parameters[i] * (1 - learningRate * weightDecay)
                - learningRate * mean / (Math.Sqrt(meanSquare) + epsilon);
        }
    }

    private static double GeluArgument(double x) => Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
}
