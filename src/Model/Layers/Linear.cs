using TinyLlm.Kernels;

namespace TinyLlm.Model;

/// <summary>
/// A linear layer y = x W^T + b with weight (out, in), and the adapters of its rows where the model has some.
/// </summary>
internal sealed class Linear(Backend backend, Parameter weight, Parameter? bias, LoraAdapter? adapter = null)
{
    private readonly IReadOnlyList<LoraBranch> branches = adapter?.Of(weight) ?? [];

    /// <summary>(..., in) to (..., out).</summary>
    public void Forward(Tensor x, Tensor y)
    {
        if (weight.Quantized is { } quantized)
            backend.QuantizedMatMul(x, quantized, bias?.Value, y);
        else
            backend.MatMul(x, weight.Working, bias?.Value, y);
        AddBranches(x, y);
    }

    /// <summary>y = addend + the layer of x, (..., out); the addend may be y itself. Not with 8-bit weights.</summary>
    public void ForwardAdd(Tensor x, Tensor addend, Tensor y)
    {
        backend.MatMulAdd(x, weight.Working, bias?.Value, addend, y);
        AddBranches(x, y);
    }

    /// <summary>pre = the layer of x, y = GELU(pre), both (..., out).</summary>
    public void ForwardGelu(Tensor x, Tensor pre, Tensor y)
    {
        if (weight.Quantized is null && branches.Count == 0)
        {
            backend.MatMulGelu(x, weight.Working, bias?.Value, pre, y);
            return;
        }

        Forward(x, pre);
        backend.Gelu(pre, y);
    }

    /// <summary>
    /// dx is overwritten; so are the trained matrices' gradients unless the pass accumulates, and the bias's is added
    /// to.
    /// </summary>
    public void Backward(Tensor dy, Tensor x, Tensor dx, ForwardPass pass)
    {
        backend.MatMulBackwardInput(dy, weight.Working, dx);
        BackwardParameters(dy, x, dx, pass);
    }

    /// <summary>The same where x = GELU(pre): dPre is overwritten.</summary>
    public void BackwardGelu(Tensor dy, Tensor x, Tensor pre, Tensor dPre, ForwardPass pass)
    {
        if (branches.Count == 0)
        {
            backend.MatMulBackwardGelu(dy, weight.Working, pre, dPre);
            BackwardParameters(dy, x, dPre, pass);
            return;
        }

        Backward(dy, x, dPre, pass);
        backend.GeluBackward(dPre, pre, dPre);
    }

    private void AddBranches(Tensor x, Tensor y)
    {
        foreach (var branch in branches)
            branch.Forward(Flat(x), Flat(y));
    }

    // A base under an adapter has no gradients.
    private void BackwardParameters(Tensor dy, Tensor x, Tensor dx, ForwardPass pass)
    {
        if (weight.Gradient is { } gradient)
            backend.MatMulBackwardWeight(dy, x, gradient, bias?.Gradient, pass.Accumulate);
        foreach (var branch in branches)
            branch.Backward(Flat(dy), Flat(x), Flat(dx), pass);
    }

    private static Tensor Flat(Tensor x) => x.View((x.Shape.Rows, x.Shape[-1]));
}
