namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// y = (x - mean) * rstd * weight + bias over each row of C elements, with rstd = 1 / sqrt(variance + epsilon) and
    /// the biased variance (J. Ba et al., "Layer Normalization", 2016).
    /// </summary>
    /// <param name="x">(..., C) F32 or BF16.</param>
    /// <param name="weight">(C) F32.</param>
    /// <param name="bias">(C) F32.</param>
    /// <param name="y">Shape and dtype of x; overwritten.</param>
    /// <param name="mean">(rows) F32; overwritten, kept for the backward pass.</param>
    /// <param name="rstd">(rows) F32; overwritten, kept for the backward pass.</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void LayerNorm(Tensor x, Tensor weight, Tensor bias, Tensor y, Tensor mean, Tensor rstd, float epsilon)
    {
        int c = x.Shape[-1];
        var dtype = Check.Floating(nameof(LayerNorm), x);
        Check.Shape(nameof(LayerNorm), weight, c);
        Check.Shape(nameof(LayerNorm), bias, (Shape)c);
        Check.Shape(nameof(LayerNorm), y, x.Shape, dtype);
        Check.Shape(nameof(LayerNorm), mean, x.Shape.Rows);
        Check.Shape(nameof(LayerNorm), rstd, x.Shape.Rows);
        LayerNormCore(x, weight, bias, y, mean, rstd, epsilon);
    }

    /// <summary>
    /// Gradients of <see cref="LayerNorm"/>. With n = (x - mean) rstd and g = dy weight:
    /// dx += rstd (g - avg(g) - n avg(g n)), dWeight += sum over rows of dy n, dBias += sum over rows of dy.
    /// </summary>
    /// <param name="dy">Shape and dtype of x.</param>
    /// <param name="dx">Shape and dtype of x; accumulated, because the residual stream's gradient arrives there
    /// first.</param>
    /// <param name="dWeight">(C) F32; accumulated; none where the weight is not trained.</param>
    /// <param name="dBias">(C) F32; accumulated; none where the weight has none.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void LayerNormBackward(
        Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx, Tensor? dWeight, Tensor? dBias)
    {
        int c = x.Shape[-1];
        var dtype = Check.Floating(nameof(LayerNormBackward), x);
        Check.Shape(nameof(LayerNormBackward), dy, x.Shape, dtype);
        Check.Shape(nameof(LayerNormBackward), weight, c);
        Check.Shape(nameof(LayerNormBackward), mean, x.Shape.Rows);
        Check.Shape(nameof(LayerNormBackward), rstd, x.Shape.Rows);
        Check.Shape(nameof(LayerNormBackward), dx, x.Shape, dtype);
        Check.Shape(nameof(LayerNormBackward), dWeight, (Shape)c);
        Check.Shape(nameof(LayerNormBackward), dBias, (Shape)c);
        Check.That((dWeight is null) == (dBias is null), nameof(LayerNormBackward),
            $"dWeight and dBias must be there both or neither.");
        LayerNormBackwardCore(dy, x, weight, mean, rstd, dx, dWeight, dBias);
    }

    private protected abstract void LayerNormCore(
        Tensor x, Tensor weight, Tensor bias, Tensor y, Tensor mean, Tensor rstd, float epsilon);

    private protected abstract void LayerNormBackwardCore(
        Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx, Tensor? dWeight, Tensor? dBias);
}
