namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// The linear layer with 8-bit weights: y = x W^T + b, with the weights as <see cref="QuantizedMatrix"/> says. For
    /// few rows, as in decoding, x is rounded too, to 16 bits of each row's largest magnitude, so that products and
    /// their sums over a block are exact integers.
    /// </summary>
    /// <param name="x">(M, K) F32, or any shape whose last size is K and whose rows are M.</param>
    /// <param name="weight">(N, K).</param>
    /// <param name="bias">(N) F32, or none.</param>
    /// <param name="y">(M, N) F32, or any shape of as many rows; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void QuantizedMatMul(Tensor x, QuantizedMatrix weight, Tensor? bias, Tensor y)
    {
        const string op = nameof(QuantizedMatMul);
        int m = x.Shape.Rows, k = x.Shape[-1], n = weight.Rows;
        CheckQuantized(op, weight, k);
        Check.That(y.Shape[-1] == n
            && y.Shape.Rows == m, op, $"x is {x.Shape}, weight has {n} rows, so y must be ({m}, {n}), not {y.Shape}.");
        Check.Shape(op, x, x.Shape);
        Check.Shape(op, y, y.Shape);
        Check.Shape(op, bias, n);
        QuantizedMatMulCore(x.View((m, k)), weight, bias, y.View((m, n)));
    }

    private protected abstract void QuantizedMatMulCore(Tensor x, QuantizedMatrix weight, Tensor? bias, Tensor y);
}
