using ILGPU;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void RopeCore(Tensor x, Tensor positions, Tensor table, Tensor y, bool inverse)
    {
        if (x.DType == DType.BF16)
            Rope<BFloat16>(x, positions, table, y, inverse);
        else
            Rope<Float32>(x, positions, table, y, inverse);
    }

    private void Rope<T>(Tensor x, Tensor positions, Tensor table, Tensor y, bool inverse) where T : unmanaged, IElement<T>
    {
        int pairs = (int)(x.Count / 2);
        Launch(Each(pairs), RopeKernel, View<T>(x), Rows.Of(x), Integers(positions), Floats(table), View<T>(y), Rows.Of(y), pairs, x.Shape[2], x.Shape[3] / 2, inverse ? -1f : 1f);
    }

    // A thread turns one pair, so that y may be x.
    [Kernel(GroupSize)]
    private static void RopeKernel<T>(ArrayView<T> x, Rows xRows, ArrayView<int> positions, ArrayView<float> table, ArrayView<T> y, Rows yRows, int pairs, int heads, int half, float sign)
        where T : unmanaged, IElement<T>
    {
        int pair = Grid.IdxX * Group.DimX + Group.IdxX;
        if (pair >= pairs)
            return;
        int row = pair / half, i = pair % half, angle = positions[row / heads] * 2 * half + i;
        float cos = table[angle], sin = table[angle + half] * sign;
        int source = xRows.At(row) + i, target = yRows.At(row) + i;
        float a = x[source].ToFloat(), b = x[source + half].ToFloat();
        y[target] = default(T).From(a * cos - b * sin);
        y[target + half] = default(T).From(b * cos + a * sin);
    }
}
