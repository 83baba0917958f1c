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

    private void SwiGlu<T>(Tensor gateUp, Tensor y) where T : unmanaged, IElement<T>
    {
        int rows = y.Shape.Rows, f = y.Shape[-1];
        Launch(EachFourOfRows(rows, f), SwiGluKernel, View<T>(gateUp), View<T>(y), rows, f, new Divisor(Items(f, 4)),
            Packed(f, gateUp, y));
    }

    private void SwiGluBackward<T>(Tensor dy, Tensor gateUp, Tensor dGateUp) where T : unmanaged, IElement<T>
    {
        int rows = dy.Shape.Rows, f = dy.Shape[-1];
        Launch(EachFourOfRows(rows, f), SwiGluBackwardKernel, View<T>(dy), View<T>(gateUp), View<T>(dGateUp), rows, f,
            new Divisor(Items(f, 4)), Packed(f, gateUp, dy) & Starts(dGateUp, dy));
    }

    private static KernelConfig EachFourOfRows(int rows, int f) => Each((long)rows * Items(f, 4));

    private static int Packed(int f, Tensor gateUp, Tensor product) => f % 4 == 0 ? Starts(gateUp, product) : 0;

    [Kernel(GroupSize)]
    private static void SwiGluKernel<T>(ArrayView<T> gateUp, ArrayView<T> y, int rows, int f, Divisor foursOfRow,
        int packed) where T : unmanaged, IElement<T>
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, row = foursOfRow.Quotient(thread),
            i = 4 * (thread - row * ((f + 3) / 4)), count = f - i;
        if (row >= rows)
            return;
        int place = 2 * row * f + i; // of the gate: a row of gates and ups is twice as long
        Float4 gate = FourElements.Load(gateUp, place, count, packed),
            up = FourElements.Load(gateUp, place + f, count, packed);
        FourElements.Store(y, row * f + i, count, packed, gate * Sigmoid(gate) * up);
    }

    [Kernel(GroupSize)]
    private static void SwiGluBackwardKernel<T>(ArrayView<T> dy, ArrayView<T> gateUp, ArrayView<T> dGateUp, int rows,
        int f, Divisor foursOfRow, int packed) where T : unmanaged, IElement<T>
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, row = foursOfRow.Quotient(thread),
            i = 4 * (thread - row * ((f + 3) / 4)), count = f - i;
        if (row >= rows)
            return;
        int place = 2 * row * f + i;
        Float4 gate = FourElements.Load(gateUp, place, count, packed),
            up = FourElements.Load(gateUp, place + f, count, packed);
        Float4 d = FourElements.Load(dy, row * f + i, count, packed), s = Sigmoid(gate);
        FourElements.Store(dGateUp, place, count, packed, d * up * s * ((gate - gate * s) + 1));
        FourElements.Store(dGateUp, place + f, count, packed, d * gate * s);
    }

    private static Float4 Sigmoid(Float4 x) => new(Sigmoid(x.X), Sigmoid(x.Y), Sigmoid(x.Z), Sigmoid(x.W));

    // Far below zero the exponential is infinite, and the quotient the right limit.
    private static float Sigmoid(float x) => 1 / (1 + XMath.Exp(-x));
}
