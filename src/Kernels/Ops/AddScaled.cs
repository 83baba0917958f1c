namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// y = scale x, or y += scale x: how the output of an adapter joins its layer's, and how a layer's gradient reaches
    /// it.
    /// </summary>
    /// <param name="x">(..., C) F32 or BF16; may be strided.</param>
    /// <param name="scale">The factor.</param>
    /// <param name="y">Shape and dtype of x; may be strided, as some columns of a stacked tensor are.</param>
    /// <param name="accumulate">Whether y is added to and not overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void AddScaled(Tensor x, float scale, Tensor y, bool accumulate)
    {
        var dtype = Check.Floating(nameof(AddScaled), x, strided: true);
        Check.Shape(nameof(AddScaled), y, x.Shape, dtype, strided: true);
        AddScaledCore(x, scale, y, accumulate);
    }

    private protected abstract void AddScaledCore(Tensor x, float scale, Tensor y, bool accumulate);
}
