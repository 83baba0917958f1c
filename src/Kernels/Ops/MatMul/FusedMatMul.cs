namespace TinyLlm.Kernels;

/// <summary>
/// Products with what is done to their result while it is near: the same values as <see cref="MatMul"/> and the other
/// op, without a trip to memory between them.
/// </summary>
public abstract partial class Backend
{
    /// <summary>A linear layer on a residual branch: y = addend + (x W^T + b).</summary>
    /// <param name="x">(M, K) F32 or BF16, or any shape whose last size is K and whose rows are M.</param>
    /// <param name="weight">(N, K), dtype of x.</param>
    /// <param name="bias">(N) F32, or none.</param>
    /// <param name="addend">(M, N), dtype of x; may be y itself.</param>
    /// <param name="y">(M, N), dtype of x; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void MatMulAdd(Tensor x, Tensor weight, Tensor? bias, Tensor addend, Tensor y)
    {
        var (m, n, k) = CheckFusedMatMul(nameof(MatMulAdd), x, weight, y);
        Check.Shape(nameof(MatMulAdd), bias, n);
        Check.Shape(nameof(MatMulAdd), addend, y.Shape, x.DType);
        MatMulAddCore(x.View((m, k)), weight, bias, addend.View((m, n)), y.View((m, n)));
    }

    /// <summary>
    /// A linear layer and its activation: pre = x W^T + b, y = GELU(pre) by its tanh form; see <see cref="Gelu"/>.
    /// </summary>
    /// <param name="x">(M, K) F32 or BF16, or any shape whose last size is K and whose rows are M.</param>
    /// <param name="weight">(N, K), dtype of x.</param>
    /// <param name="bias">(N) F32, or none.</param>
    /// <param name="pre">(M, N), dtype of x; overwritten: what the backward pass reads.</param>
    /// <param name="y">(M, N), dtype of x; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void MatMulGelu(Tensor x, Tensor weight, Tensor? bias, Tensor pre, Tensor y)
    {
        var (m, n, k) = CheckFusedMatMul(nameof(MatMulGelu), x, weight, y);
        Check.Shape(nameof(MatMulGelu), bias, n);
        Check.Shape(nameof(MatMulGelu), pre, y.Shape, x.DType);
        MatMulGeluCore(x.View((m, k)), weight, bias, pre.View((m, n)), y.View((m, n)));
    }

    /// <summary>Gradient of y = GELU(pre) W^T for pre: dPre = (dy W) GELU'(pre).</summary>
    /// <param name="dy">(M, N) F32 or BF16.</param>
    /// <param name="weight">(N, K), dtype of dy.</param>
    /// <param name="pre">(M, K), dtype of dy.</param>
    /// <param name="dPre">(M, K), dtype of dy; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void MatMulBackwardGelu(Tensor dy, Tensor weight, Tensor pre, Tensor dPre)
    {
        var (m, n, k) = CheckFusedMatMul(nameof(MatMulBackwardGelu), dPre, weight, dy);
        Check.Shape(nameof(MatMulBackwardGelu), pre, dPre.Shape, dy.DType);
        MatMulBackwardGeluCore(dy.View((m, n)), weight, pre.View((m, k)), dPre.View((m, k)));
    }

    private protected abstract void MatMulAddCore(Tensor x, Tensor weight, Tensor? bias, Tensor addend, Tensor y);

    private protected abstract void MatMulGeluCore(Tensor x, Tensor weight, Tensor? bias, Tensor pre, Tensor y);

    private protected abstract void MatMulBackwardGeluCore(Tensor dy, Tensor weight, Tensor pre, Tensor dPre);

    private static (int M, int N, int K) CheckFusedMatMul(string op, Tensor x, Tensor weight, Tensor y)
    {
        CheckMatMul(op, x, weight, y);
        var dtype = Check.Floating(op, x);
        Check.Shape(op, weight, weight.Shape, dtype);
        Check.Shape(op, y, y.Shape, dtype);
        return (x.Shape.Rows, y.Shape[-1], x.Shape[-1]);
    }
}
