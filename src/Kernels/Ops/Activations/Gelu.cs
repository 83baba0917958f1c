namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): GPT-2's form of GELU (D. Hendrycks and K. Gimpel, 2016).
    /// </summary>
    /// <param name="x">F32 or BF16, any shape.</param>
    /// <param name="y">Shape and dtype of x; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Gelu(Tensor x, Tensor y)
    {
        var dtype = Check.Floating(nameof(Gelu), x);
        Check.Shape(nameof(Gelu), y, x.Shape, dtype);
        GeluCore(x, y);
    }

    /// <summary>Gradient of <see cref="Gelu"/>: dx = dy * Gelu'(x).</summary>
    /// <param name="dy">Shape and dtype of x.</param>
    /// <param name="x">F32 or BF16, any shape.</param>
    /// <param name="dx">Shape and dtype of x; overwritten; may be dy itself.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void GeluBackward(Tensor dy, Tensor x, Tensor dx)
    {
        var dtype = Check.Floating(nameof(GeluBackward), x);
        Check.Shape(nameof(GeluBackward), dy, x.Shape, dtype);
        Check.Shape(nameof(GeluBackward), dx, x.Shape, dtype);
        GeluBackwardCore(dy, x, dx);
    }

    private protected abstract void GeluCore(Tensor x, Tensor y);

    private protected abstract void GeluBackwardCore(Tensor dy, Tensor x, Tensor dx);
}
