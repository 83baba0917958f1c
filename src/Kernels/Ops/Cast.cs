namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// y = x, rounded to the nearest where y's dtype is the smaller one: the working copy of master weights.
    /// </summary>
    /// <param name="x">F32 or BF16, any shape.</param>
    /// <param name="y">F32 or BF16, shape of x; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Cast(Tensor x, Tensor y)
    {
        Check.Floating(nameof(Cast), x);
        Check.Shape(nameof(Cast), y, x.Shape, Check.Floating(nameof(Cast), y));
        CastCore(x, y);
    }

    private protected abstract void CastCore(Tensor x, Tensor y);
}
