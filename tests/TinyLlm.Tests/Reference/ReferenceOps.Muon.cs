namespace TinyLlm.Tests.Reference;

internal static partial class ReferenceOps
{
    /// <summary>
    /// m = decay m + g' in place, for gradients scaled by min(1, clip / (norm + 1e-6)) where clip is not 0; returns g'
    /// + decay m.
    /// </summary>
    public static double[] MuonMomentum(double[] gradients, double[] momentum, double norm, double decay, double clip)
    {
        double scale = clip == 0 ? 1 : Math.Min(1, clip / (norm + 1e-6));
        var update = new double[gradients.Length];
        for (int i = 0; i < update.Length; i++)
        {
            momentum[i] = decay * momentum[i] + scale * gradients[i];
            update[i] = scale * gradients[i] + decay * momentum[i];
        }

        return update;
    }

    /// <summary>p (1 - rate decay) - rate scale direction, in place.</summary>
    public static void MuonStep(double[] parameters, double[] direction, double rate, double scale, double weightDecay)
    {
        for (int i = 0; i < parameters.Length; i++)
            parameters[i] = parameters[i] * (1 - rate * weightDecay) - rate * scale * direction[i];
    }

    public static double[] Normalize(double[] x, double norm) => Array.ConvertAll(x, v => v / (norm + 1e-7));

    /// <summary>a I + b G + c H for (k, k) matrices.</summary>
    public static double[] NewtonSchulzFactor(double[] gram, double[] square, int k, double a, double b, double c) =>
        [.. gram.Select((g, i) => (i / k == i % k ? a : 0) + b * g + c * square[i])];

    /// <summary>
    /// Newton-Schulz of a (rows, columns) matrix by its definition, from the left whatever the shape: five times X = a
    /// X + b (X X^T) X + c (X X^T)^2 X.
    /// </summary>
    public static double[] NewtonSchulz(double[] matrix, int rows, int columns, double a, double b, double c)
    {
        var x = Normalize(matrix, Math.Sqrt(SumSquares(matrix)));
        for (int i = 0; i < 5; i++)
        {
            double[] gram = new double[rows * rows];
            for (int r = 0; r < rows; r++)
                for (int s = 0; s < rows; s++)
                    for (int k = 0; k < columns; k++)
                        gram[r * rows + s] += x[r * columns + k] * x[s * columns + k];
            double[] gx = Product(gram, x, rows, columns), ggx = Product(gram, gx, rows, columns);
            x = [.. x.Select((v, n) => a * v + b * gx[n] + c * ggx[n])];
        }

        return x;
    }

    /// <summary>
    /// The singular values of a (rows, columns) matrix, as many as its smaller side has, the smallest first: columns
    /// are rotated against each other until all are orthogonal, and their lengths are then the values (M. Hestenes,
    /// "Inversion of Matrices by Biorthogonalization and Related Results", 1958).
    /// </summary>
    public static double[] SingularValues(double[] matrix, int rows, int columns)
    {
        // The smaller side as vectors.
        bool tall = rows > columns;
        int count = Math.Min(rows, columns), length = Math.Max(rows, columns);
        var vectors = Enumerable.Range(0, count)
            .Select(j => Enumerable.Range(0, length)
                .Select(i => tall ? matrix[i * columns + j] : matrix[j * columns + i]).ToArray()).ToArray();
        for (bool turned = true; turned;)
        {
            turned = false;
            for (int i = 0; i < count; i++)
                for (int j = i + 1; j < count; j++)
                    turned |= Rotate(vectors[i], vectors[j]);
        }

        return [.. vectors.Select(v => Math.Sqrt(SumSquares(v))).Order()];
    }

    // Makes two vectors orthogonal; false where they are already.
    private static bool Rotate(double[] u, double[] v)
    {
        double uu = SumSquares(u), vv = SumSquares(v), uv = Dot(u, v);
        if (Math.Abs(uv) <= 1e-14 * Math.Sqrt(uu * vv) || Math.Abs(uv) < 1e-30)
            return false;
        double zeta = (vv - uu) / (2 * uv), t = (zeta < 0 ? -1 : 1) / (Math.Abs(zeta) + Math.Sqrt(1 + zeta * zeta)),
            cosine = 1 / Math.Sqrt(1 + t * t), sine = cosine * t;
        for (int i = 0; i < u.Length; i++)
            (u[i], v[i]) = (cosine * u[i] - sine * v[i], sine * u[i] + cosine * v[i]);
        return true;
    }

    // (n, n) times (n, columns).
    private static double[] Product(double[] square, double[] x, int n, int columns)
    {
        var y = new double[n * columns];
        for (int r = 0; r < n; r++)
            for (int k = 0; k < n; k++)
                for (int j = 0; j < columns; j++)
                    y[r * columns + j] += square[r * n + k] * x[k * columns + j];
        return y;
    }
}
