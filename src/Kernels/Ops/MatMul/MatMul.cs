namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// The linear layer y = x W^T + b: y[m, n] = sum_k x[m, k] weight[n, k] + bias[n].
    /// </summary>
    /// <param name="x">(M, K) F32 or BF16, or any shape whose last size is K and whose rows are M.</param>
    /// <param name="weight">(N, K), dtype of x.</param>
    /// <param name="bias">(N) F32, or none.</param>
    /// <param name="y">(M, N), dtype of x or F32, or any shape of as many rows; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void MatMul(Tensor x, Tensor weight, Tensor? bias, Tensor y)
    {
        int m = x.Shape.Rows, k = x.Shape[-1], n = y.Shape[-1];
        CheckMatMul(nameof(MatMul), x, weight, y);
        Check.Shape(nameof(MatMul), weight, weight.Shape, Check.Floating(nameof(MatMul), x));
        Check.That(Check.Floating(nameof(MatMul), y) == x.DType
            || y.DType == DType.F32, nameof(MatMul),
                $"x is {x.DType}, y is {y.DType}; expected the same, or F32 for y.");
        Check.Shape(nameof(MatMul), bias, n);
        MatMulCore(x.View((m, k)), weight, bias, y.View((m, n)));
    }

    /// <summary>Gradient of <see cref="MatMul"/> for its input: dx = dy W.</summary>
    /// <param name="dy">(M, N) F32 or BF16.</param>
    /// <param name="weight">(N, K), dtype of dy.</param>
    /// <param name="dx">(M, K), dtype of dy; overwritten, or added to where <paramref name="accumulate"/>.</param>
    /// <param name="accumulate">Whether to add to dx.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void MatMulBackwardInput(Tensor dy, Tensor weight, Tensor dx, bool accumulate = false)
    {
        int m = dx.Shape.Rows, k = dx.Shape[-1], n = dy.Shape[-1];
        CheckMatMul(nameof(MatMulBackwardInput), dx, weight, dy);
        var dtype = Check.Floating(nameof(MatMulBackwardInput), dy);
        Check.Shape(nameof(MatMulBackwardInput), weight, weight.Shape, dtype);
        Check.Shape(nameof(MatMulBackwardInput), dx, dx.Shape, dtype);
        MatMulBackwardInputCore(dy.View((m, n)), weight, dx.View((m, k)), accumulate);
    }

    /// <summary>
    /// Gradients of <see cref="MatMul"/> for its parameters: dW = or += dy^T x and db += sum over rows of dy.
    /// </summary>
    /// <param name="dy">(M, N) F32 or BF16.</param>
    /// <param name="x">(M, K), dtype of dy.</param>
    /// <param name="dWeight">(N, K) F32; added to, or overwritten where <paramref name="accumulate"/> is false.</param>
    /// <param name="dBias">(N) F32, added to, or none.</param>
    /// <param name="accumulate">Whether to add to dW.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void MatMulBackwardWeight(Tensor dy, Tensor x, Tensor dWeight, Tensor? dBias, bool accumulate = true)
    {
        int m = x.Shape.Rows, k = x.Shape[-1], n = dy.Shape[-1];
        CheckMatMul(nameof(MatMulBackwardWeight), x, dWeight, dy);
        Check.Shape(nameof(MatMulBackwardWeight), x, x.Shape, Check.Floating(nameof(MatMulBackwardWeight), dy));
        Check.Shape(nameof(MatMulBackwardWeight), dWeight, dWeight.Shape);
        Check.Shape(nameof(MatMulBackwardWeight), dBias, n);
        if (m == 0 && !accumulate)
            Fill(dWeight, 0);
        MatMulBackwardWeightCore(dy.View((m, n)), x.View((m, k)), dWeight, dBias, accumulate);
    }

    private protected abstract void MatMulCore(Tensor x, Tensor weight, Tensor? bias, Tensor y);

    private protected abstract void MatMulBackwardInputCore(Tensor dy, Tensor weight, Tensor dx, bool accumulate);

    private protected abstract void MatMulBackwardWeightCore(
        Tensor dy, Tensor x, Tensor dWeight, Tensor? dBias, bool accumulate);

    private static void CheckMatMul(string op, Tensor x, Tensor weight, Tensor y)
    {
        Check.That(weight.Shape.Rank == 2 && x.Shape[-1] == weight.Shape[1], op,
            $"x is {x.Shape}, weight is {weight.Shape}; the inner sizes must match.");
        Check.That(y.Shape[-1] == weight.Shape[0] && y.Shape.Rows == x.Shape.Rows, op,
            $"x is {x.Shape}, weight is {weight.Shape}, so y must be ({x.Shape.Rows}, {weight.Shape[0]}), not "
            + $"{y.Shape}.");
    }
}
