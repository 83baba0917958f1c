using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void SwiGluCore(Tensor gateUp, Tensor y)
    {
        if (y.DType == DType.BF16)
            SwiGlu<BFloat16>(gateUp, y);
        else
            SwiGlu<Float32>(gateUp, y);
    }

    private protected override void SwiGluBackwardCore(Tensor dy, Tensor gateUp, Tensor dGateUp)
    {
        if (dy.DType == DType.BF16)
            SwiGluBackward<BFloat16>(dy, gateUp, dGateUp);
        else
            SwiGluBackward<Float32>(dy, gateUp, dGateUp);
    }

    private void SwiGlu<T>(Tensor gateUp, Tensor y) where T : unmanaged, IElement<T> =>
        Launch(Each(y.Count), SwiGluKernel, View<T>(gateUp), View<T>(y), y.Shape[-1]);

    private void SwiGluBackward<T>(Tensor dy, Tensor gateUp, Tensor dGateUp) where T : unmanaged, IElement<T> =>
        Launch(Each(dy.Count), SwiGluBackwardKernel, View<T>(dy), View<T>(gateUp), View<T>(dGateUp), dy.Shape[-1]);

    [Kernel(GroupSize)]
    private static void SwiGluKernel<T>(ArrayView<T> gateUp, ArrayView<T> y, int f) where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= y.IntLength)
            return;
        int place = i + i / f * f; // of the gate: a row of gates and ups is twice as long
        float gate = gateUp[place].ToFloat();
        y[i] = default(T).From(gate * Sigmoid(gate) * gateUp[place + f].ToFloat());
    }

    [Kernel(GroupSize)]
    private static void SwiGluBackwardKernel<T>(ArrayView<T> dy, ArrayView<T> gateUp, ArrayView<T> dGateUp, int f) where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= dy.IntLength)
            return;
        int place = i + i / f * f;
        float d = dy[i].ToFloat(), gate = gateUp[place].ToFloat(), s = Sigmoid(gate);
        dGateUp[place] = default(T).From(d * gateUp[place + f].ToFloat() * s * (1 + gate * (1 - s)));
        dGateUp[place + f] = default(T).From(d * gate * s);
    }

    // Far below zero the exponential is infinite, and the quotient the right limit.
    private static float Sigmoid(float x) => 1 / (1 + XMath.Exp(-x));
}
