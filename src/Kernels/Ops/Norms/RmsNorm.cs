namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// y = x * rstd * weight over each row of C elements, with rstd = 1 / sqrt(mean(x^2) + epsilon)
    /// (B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization", 2019).
    /// </summary>
    /// <param name="x">(..., C) F32 or BF16; may be strided, as the heads of a stacked projection are.</param>
    /// <param name="weight">(C) F32.</param>
    /// <param name="y">Shape and dtype of x; overwritten; may be strided.</param>
    /// <param name="rstd">(rows) F32; overwritten, kept for the backward pass.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor rstd, float epsilon)
    {
        var dtype = Check.Floating(nameof(RmsNorm), x, strided: true);
        Check.Shape(nameof(RmsNorm), weight, x.Shape[-1]);
        Check.Shape(nameof(RmsNorm), y, x.Shape, dtype, strided: true);
        Check.Shape(nameof(RmsNorm), rstd, x.Shape.Rows);
        RmsNormCore(x, weight, y, rstd, epsilon);
    }

    /// <summary>
    /// Gradients of <see cref="RmsNorm"/>. With n = x rstd and g = dy weight: dx = rstd (g - n avg(g n)), dWeight +=
    /// sum over rows of dy n.
    /// </summary>
    /// <param name="dy">Shape and dtype of x; may be strided.</param>
    /// <param name="dx">Shape and dtype of x; may be strided; overwritten, or added to where
    /// <paramref name="accumulate"/>.</param>
    /// <param name="dWeight">(C) F32; accumulated; none where the weight is not trained.</param>
    /// <param name="accumulate">Whether to add to dx, as for the norms of the residual stream, whose gradient arrives
    /// there first.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void RmsNormBackward(
        Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Tensor? dWeight, bool accumulate)
    {
        var dtype = Check.Floating(nameof(RmsNormBackward), x, strided: true);
        Check.Shape(nameof(RmsNormBackward), dy, x.Shape, dtype, strided: true);
        Check.Shape(nameof(RmsNormBackward), weight, x.Shape[-1]);
        Check.Shape(nameof(RmsNormBackward), rstd, x.Shape.Rows);
        Check.Shape(nameof(RmsNormBackward), dx, x.Shape, dtype, strided: true);
        Check.Shape(nameof(RmsNormBackward), dWeight, (Shape)x.Shape[-1]);
        RmsNormBackwardCore(dy, x, weight, rstd, dx, dWeight, accumulate);
    }

    private protected abstract void RmsNormCore(Tensor x, Tensor weight, Tensor y, Tensor rstd, float epsilon);

    private protected abstract void RmsNormBackwardCore(
        Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Tensor? dWeight, bool accumulate);
}
