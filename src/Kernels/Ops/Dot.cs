namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// sum[0] += scale * sum_i a[i] b[i], on the device: the loss of a micro-batch from its log-probabilities and token
    /// weights.
    /// </summary>
    /// <param name="a">(N) F32.</param>
    /// <param name="b">(N) F32.</param>
    /// <param name="scale">Factor of the sum.</param>
    /// <param name="sum">(1) F32; accumulated.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Dot(Tensor a, Tensor b, float scale, Tensor sum)
    {
        Check.Shape(nameof(Dot), a, a.Shape);
        Check.Shape(nameof(Dot), b, a.Shape);
        Check.Shape(nameof(Dot), sum, 1);
        DotCore(a, b, scale, sum);
    }

    private protected abstract void DotCore(Tensor a, Tensor b, float scale, Tensor sum);
}
