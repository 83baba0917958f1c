using ILGPU;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void AddScaledCore(Tensor x, float scale, Tensor y, bool accumulate)
    {
        if (x.DType == DType.BF16)
            AddScaled<BFloat16>(x, scale, y, accumulate);
        else
            AddScaled<Float32>(x, scale, y, accumulate);
    }

    private void AddScaled<T>(Tensor x, float scale, Tensor y, bool accumulate) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1], fours = Items(c, 4);
        Launch(Each((long)rows * fours), AddScaledKernel, View<T>(x), Rows.Of(x), scale, View<T>(y), Rows.Of(y), rows,
            c, new Divisor(Math.Max(fours, 1)), accumulate ? 1 : 0,
            FourElements.FitRows(x) && FourElements.FitRows(y) ? 1 : 0);
    }

    // A thread has four neighbouring columns of a row.
    [Kernel(GroupSize)]
    private static void AddScaledKernel<T>(ArrayView<T> x, Rows xRows, float scale, ArrayView<T> y, Rows yRows,
        int rows, int c, Divisor foursOfRow, int accumulate, int packed)
        where T : unmanaged, IElement<T>
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, row = foursOfRow.Quotient(thread),
            column = 4 * (thread - row * ((c + 3) / 4)), count = c - column;
        if (row >= rows)
            return;
        int target = yRows.At(row) + column;
        var value = FourElements.Load(x, xRows.At(row) + column, count, packed) * scale;
        if (accumulate != 0)
            value += FourElements.Load(y, target, count, packed);
        FourElements.Store(y, target, count, packed, value);
    }
}
