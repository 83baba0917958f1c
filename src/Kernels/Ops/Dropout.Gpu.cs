using ILGPU;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void DropoutCore(Tensor x, Tensor y, float probability, Tensor state, int site)
    {
        var mask = new DropoutMask(probability, site, x.Count);
        if (x.DType == DType.BF16)
            Dropout<BFloat16>(x, y, state, mask);
        else
            Dropout<Float32>(x, y, state, mask);
    }

    // One thread more than there are fours: the first element need not be the first of its draw.
    private void Dropout<T>(Tensor x, Tensor y, Tensor state, DropoutMask mask) where T : unmanaged, IElement<T> =>
        Launch(Each(x.Count / 4 + 2), DropoutKernel, View<T>(x), View<T>(y), Integers(state), mask);

    // A thread draws once, for the four elements that share it.
    [Kernel(GroupSize)]
    private static void DropoutKernel<T>(ArrayView<T> x, ArrayView<T> y, ArrayView<int> state, DropoutMask mask)
        where T : unmanaged, IElement<T>
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        ulong start = mask.Start(state);
        int i = 4 * thread - (int)(start % 4);
        if (i >= x.IntLength)
            return;
        var factors = mask.Factors(state, start / 4 + (uint)thread);
        Scale(x, y, i, factors.X);
        Scale(x, y, i + 1, factors.Y);
        Scale(x, y, i + 2, factors.Z);
        Scale(x, y, i + 3, factors.W);
    }

    private static void Scale<T>(ArrayView<T> x, ArrayView<T> y, int i, float factor) where T : unmanaged, IElement<T>
    {
        if (i >= 0 && i < x.IntLength)
            y[i] = default(T).From(x[i].ToFloat() * factor);
    }
}
