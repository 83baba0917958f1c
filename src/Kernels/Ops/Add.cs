namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// y = a + b, element by element: the residual connection. Its gradient is dy for both, so it has no backward op.
    /// </summary>
    /// <param name="a">F32 or BF16, any shape.</param>
    /// <param name="b">Shape and dtype of a.</param>
    /// <param name="y">Shape and dtype of a; overwritten; may be a or b.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Add(Tensor a, Tensor b, Tensor y)
    {
        var dtype = Check.Floating(nameof(Add), a);
        Check.Shape(nameof(Add), b, a.Shape, dtype);
        Check.Shape(nameof(Add), y, a.Shape, dtype);
        AddCore(a, b, y);
    }

    private protected abstract void AddCore(Tensor a, Tensor b, Tensor y);
}
