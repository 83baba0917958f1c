namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// y = silu(gate) * up with silu(g) = g / (1 + e^-g) (N. Shazeer, "GLU Variants Improve Transformer", 2020). Gate
    /// and up come stacked from one product.
    /// </summary>
    /// <param name="gateUp">(..., 2F) F32 or BF16: F gates, then F ups in each row.</param>
    /// <param name="y">(..., F), dtype of gateUp; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void SwiGlu(Tensor gateUp, Tensor y)
    {
        CheckSwiGlu(nameof(SwiGlu), gateUp, y);
        SwiGluCore(gateUp, y);
    }

    /// <summary>
    /// Gradients of <see cref="SwiGlu"/>, with s = 1 / (1 + e^-gate): dUp = dy gate s, dGate = dy up s (1 + gate (1 -
    /// s)).
    /// </summary>
    /// <param name="dy">(..., F), dtype of gateUp.</param>
    /// <param name="gateUp">(..., 2F) F32 or BF16.</param>
    /// <param name="dGateUp">(..., 2F), dtype of gateUp; overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void SwiGluBackward(Tensor dy, Tensor gateUp, Tensor dGateUp)
    {
        CheckSwiGlu(nameof(SwiGluBackward), gateUp, dy);
        Check.Shape(nameof(SwiGluBackward), dGateUp, gateUp.Shape, gateUp.DType);
        SwiGluBackwardCore(dy, gateUp, dGateUp);
    }

    private protected abstract void SwiGluCore(Tensor gateUp, Tensor y);

    private protected abstract void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp);

    private static void CheckSwiGlu(string op, Tensor gateUp, Tensor y)
    {
        Check.That(gateUp.Shape[-1] == 2 * y.Shape[-1]
            && gateUp.Shape.Rows == y.Shape.Rows, op,
                $"gateUp is {gateUp.Shape}, the product is {y.Shape}; expected (..., 2F) and (..., F).");
        Check.Shape(op, y, y.Shape, Check.Floating(op, gateUp));
    }
}
