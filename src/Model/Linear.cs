using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>A linear layer y = x W^T + b with weight (out, in).</summary>
internal sealed class Linear(Backend backend, Parameter weight, Parameter? bias)
{
    /// <summary>(..., in) to (..., out).</summary>
    public void Forward(Tensor x, Tensor y) => backend.MatMul(x, weight.Working, bias?.Value, y);

    /// <summary>dx is overwritten; the parameters' gradients are added to.</summary>
    public void Backward(Tensor dy, Tensor x, Tensor dx)
    {
        backend.MatMulBackwardInput(dy, weight.Working, dx);
        backend.MatMulBackwardWeight(dy, x, weight.Gradient, bias?.Gradient);
    }
}
