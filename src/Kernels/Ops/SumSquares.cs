namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// sum[0] = sum_i x[i]^2, on the device: the square of the gradient's global norm, without a trip to the host.
    /// </summary>
    /// <param name="x">F32, any shape.</param>
    /// <param name="sum">(1) F32; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void SumSquares(Tensor x, Tensor sum)
    {
        Check.Shape(nameof(SumSquares), x, x.Shape);
        Check.Shape(nameof(SumSquares), sum, 1);
        SumSquaresCore(x, sum);
    }

    private protected abstract void SumSquaresCore(Tensor x, Tensor sum);
}
