namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// y[i] = e^(x[i] - m) / sum_j e^(x[j] - m) over each row, with m its largest element, so that nothing overflows.
    /// It is the plain form of what attention and the loss compute online, for rows that are in memory anyway.
    /// </summary>
    /// <param name="x">(..., C) F32 or BF16. Elements may be -infinity, which give 0; a row of nothing else gives
    /// NaN.</param>
    /// <param name="y">Shape and dtype of x; overwritten; may be x itself.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Softmax(Tensor x, Tensor y)
    {
        Check.Shape(nameof(Softmax), y, x.Shape, Check.Floating(nameof(Softmax), x));
        SoftmaxCore(x, y);
    }

    /// <summary>Gradient of <see cref="Softmax"/>: dx = y (dy - sum_j dy[j] y[j]).</summary>
    /// <param name="dy">Shape and dtype of y.</param>
    /// <param name="y">(..., C) F32 or BF16: what the forward pass gave.</param>
    /// <param name="dx">Shape and dtype of y; overwritten; may be dy itself.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void SoftmaxBackward(Tensor dy, Tensor y, Tensor dx)
    {
        var dtype = Check.Floating(nameof(SoftmaxBackward), y);
        Check.Shape(nameof(SoftmaxBackward), dy, y.Shape, dtype);
        Check.Shape(nameof(SoftmaxBackward), dx, y.Shape, dtype);
        SoftmaxBackwardCore(dy, y, dx);
    }

    private protected abstract void SoftmaxCore(Tensor x, Tensor y);

    private protected abstract void SoftmaxBackwardCore(Tensor dy, Tensor y, Tensor dx);
}
