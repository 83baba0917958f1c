namespace TinyLlm.Kernels;

/// <summary>
/// The odd quintic a x + b x^3 + c x^5 that an iteration of Newton-Schulz applies to each singular value.
/// </summary>
/// <param name="A">Factor of x.</param>
/// <param name="B">Factor of x^3.</param>
/// <param name="C">Factor of x^5.</param>
public readonly record struct QuinticCoefficients(float A, float B, float C);

public abstract partial class Backend
{
    /// <summary>
    /// y = x / (norm + 1e-7), by a norm that lies on the device: what an iteration of Newton-Schulz begins with, no
    /// singular value above 1. Zeros stay zeros.
    /// </summary>
    /// <param name="x">F32, any shape.</param>
    /// <param name="sumSquares">(1) F32: the square of the norm.</param>
    /// <param name="y">F32 or BF16, shape of x; overwritten; may be x.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Normalize(Tensor x, Tensor sumSquares, Tensor y)
    {
        Check.Shape(nameof(Normalize), x, x.Shape);
        Check.Shape(nameof(Normalize), sumSquares, 1);
        Check.Shape(nameof(Normalize), y, x.Shape, Check.Floating(nameof(Normalize), y));
        NormalizeCore(x, sumSquares, y);
    }

    /// <summary>
    /// The matrix that an iteration of Newton-Schulz multiplies X with: y = a I + b G + c G G for the Gram matrix G of
    /// X, so that y X = a X + b (X X^T) X + c (X X^T)^2 X.
    /// </summary>
    /// <param name="gram">(K, K) F32: G.</param>
    /// <param name="square">(K, K) F32: G G.</param>
    /// <param name="y">(K, K) F32 or BF16; overwritten.</param>
    /// <param name="coefficients">a, b and c.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void NewtonSchulzFactor(Tensor gram, Tensor square, Tensor y, QuinticCoefficients coefficients)
    {
        int k = gram.Shape[0];
        Check.Shape(nameof(NewtonSchulzFactor), gram, (k, k));
        Check.Shape(nameof(NewtonSchulzFactor), square, (k, k));
        Check.Shape(nameof(NewtonSchulzFactor), y, (k, k), Check.Floating(nameof(NewtonSchulzFactor), y));
        NewtonSchulzFactorCore(gram, square, y, coefficients);
    }

    private protected abstract void NormalizeCore(Tensor x, Tensor sumSquares, Tensor y);

    private protected abstract void NewtonSchulzFactorCore(
        Tensor gram, Tensor square, Tensor y, QuinticCoefficients coefficients);
}
