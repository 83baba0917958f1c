using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>A linear layer y = x W^T + b with weight (out, in).</summary>
internal sealed class Linear(Backend backend, Parameter weight, Parameter? bias)
{
    /// <summary>(..., in) to (..., out).</summary>
    public void Forward(Tensor x, Tensor y)
    {
        if (weight.Quantized is { } quantized)
            backend.QuantizedMatMul(x, quantized, bias?.Value, y);
        else
            backend.MatMul(x, weight.Working, bias?.Value, y);
    }

    /// <summary>y = addend + the layer of x, (..., out); the addend may be y itself. Not with 8-bit weights.</summary>
    public void ForwardAdd(Tensor x, Tensor addend, Tensor y) => backend.MatMulAdd(x, weight.Working, bias?.Value, addend, y);

    /// <summary>pre = the layer of x, y = GELU(pre), both (..., out).</summary>
    public void ForwardGelu(Tensor x, Tensor pre, Tensor y)
    {
        if (weight.Quantized is { } quantized)
        {
            backend.QuantizedMatMul(x, quantized, bias?.Value, pre);
            backend.Gelu(pre, y);
        }
        else
        {
            backend.MatMulGelu(x, weight.Working, bias?.Value, pre, y);
        }
    }

    /// <summary>dx is overwritten; the parameters' gradients are added to.</summary>
    public void Backward(Tensor dy, Tensor x, Tensor dx)
    {
        backend.MatMulBackwardInput(dy, weight.Working, dx);
        BackwardWeight(dy, x);
    }

    /// <summary>The same where x = GELU(pre): dPre is overwritten.</summary>
    public void BackwardGelu(Tensor dy, Tensor x, Tensor pre, Tensor dPre)
    {
        backend.MatMulBackwardGelu(dy, weight.Working, pre, dPre);
        BackwardWeight(dy, x);
    }

    private void BackwardWeight(Tensor dy, Tensor x) => backend.MatMulBackwardWeight(dy, x, weight.Gradient, bias?.Gradient);
}
