namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// Sets every element of an F32 or BF16 tensor to <paramref name="value"/>; zeroing the gradients before a step is
    /// its main use.
    /// </summary>
    /// <exception cref="ArgumentException">The tensor is strided or I32.</exception>
    public void Fill(Tensor x, float value)
    {
        Check.Floating(nameof(Fill), x);
        FillCore(x, value);
    }

    private protected abstract void FillCore(Tensor x, float value);
}
