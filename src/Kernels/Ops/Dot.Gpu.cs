using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    // Enough parts to fill a device, few enough for one group to add up.
    private const int SmallestDotPart = 4096, MaxDotParts = 1024;

    private protected override void DotCore(Tensor a, Tensor b, float scale, Tensor sum) =>
        SumOfProducts(a, b, scale, sum, accumulate: true);

    // Parts of fixed size, then their sums: the same bits each time.
    private void SumOfProducts(Tensor a, Tensor b, float scale, Tensor sum, bool accumulate)
    {
        int perPart = Math.Max(Items(a.Count, MaxDotParts), SmallestDotPart), parts = Items(a.Count, perPart);
        var partials = Scratch<float>(ScratchPartials, parts);
        Launch(new KernelConfig(parts, GroupSize), DotPartsKernel, Floats(a), Floats(b), perPart, partials);
        Launch(new KernelConfig(1, GroupSize), DotKernel, partials, parts, scale, accumulate ? 1 : 0, Floats(sum));
    }

    [Kernel(GroupSize)]
    private static void DotPartsKernel(ArrayView<float> a, ArrayView<float> b, int perPart, ArrayView<float> partials)
    {
        var tree = SharedMemory.Allocate<float>(GroupSize);
        int first = Grid.IdxX * perPart, count = XMath.Min(perPart, a.IntLength - first);
        var sum = default(CompensatedSum);
        for (int i = Group.IdxX; i < count; i += GroupSize)
            sum = sum.Plus(a[first + i] * b[first + i]);
        float total = SumOfGroup(sum.Value, tree);
        if (Group.IdxX == 0)
            partials[Grid.IdxX] = total;
    }

    [Kernel(GroupSize)]
    private static void DotKernel(
        ArrayView<float> partials, int parts, float scale, int accumulate, ArrayView<float> sum)
    {
        var tree = SharedMemory.Allocate<float>(GroupSize);
        var own = default(CompensatedSum);
        for (int i = Group.IdxX; i < parts; i += GroupSize)
            own = own.Plus(partials[i]);
        float total = SumOfGroup(own.Value, tree);
        if (Group.IdxX == 0)
            sum[0] = (accumulate != 0 ? sum[0] : 0) + scale * total;
    }

    /// <summary>
    /// A sum in single precision as exact as one of twice the digits, because not every device has doubles. W. Kahan,
    /// "Further Remarks on Reducing Truncation Errors", 1965.
    /// </summary>
    private readonly struct CompensatedSum(float value, float excess)
    {
        // What rounding has added to the value so far, too small to be held in it.
        private readonly float excess = excess;

        public float Value { get; } = value;

        public CompensatedSum Plus(float term)
        {
            float corrected = term - excess, next = Value + corrected;
            return new CompensatedSum(next, next - Value - corrected);
        }
    }
}
