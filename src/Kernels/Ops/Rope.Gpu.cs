using System.Runtime.CompilerServices;
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

    private void Rope<T>(Tensor x, Tensor positions, Tensor table, Tensor y, bool inverse)
        where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, half = x.Shape[3] / 2, fours = Items(half, 4), packed = half % 4 == 0
            && FourElements.FitRows(x) && FourElements.FitRows(y) ? 1 : 0;
        Launch(Each((long)rows * fours), RopeKernel,
            View<T>(x), Rows.Of(x), Integers(positions), View<Float32>(table), View<T>(y), Rows.Of(y),
            new RopeShape(rows, x.Shape[2], half), inverse ? -1f : 1f,
            packed);
    }

    /// <summary>How threads are shared out: four neighbouring pairs of a head each.</summary>
    internal readonly struct RopeShape(int rows, int heads, int half)
    {
        private readonly int rows = rows, fours = (half + 3) / 4;
        private readonly Divisor byFours = new((half + 3) / 4), byHeads = new(heads);

        /// <summary>D / 2.</summary>
        public int Half { get; } = half;

        public int Row(int thread) => byFours.Quotient(thread);

        /// <summary>The first of a thread's pairs.</summary>
        public int First(int thread, int row) => 4 * (thread - row * fours);

        public bool Exists(int row) => row < rows;

        public int Token(int row) => byHeads.Quotient(row);
    }

    // A thread turns its pairs alone, so that y may be x.
    [Kernel(GroupSize)]
    private static void RopeKernel<T>(
        ArrayView<T> x, Rows xRows, ArrayView<int> positions, ArrayView<Float32> table, ArrayView<T> y, Rows yRows,
        RopeShape shape, float sign, int packed)
        where T : unmanaged, IElement<T>
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX, row = shape.Row(thread), i = shape.First(thread, row);
        if (!shape.Exists(row))
            return;
        int angle = positions[shape.Token(row)] * 2 * shape.Half + i, source = xRows.At(row) + i,
            target = yRows.At(row) + i;
        if (packed != 0)
            RotatePairs<T, Fours>(x, source, table, angle, y, target, shape.Half, shape.Half - i, sign);
        else
            RotatePairs<T, AnyPlaces>(x, source, table, angle, y, target, shape.Half, shape.Half - i, sign);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RotatePairs<T,
        TPlaces>(ArrayView<T> x, int source, ArrayView<Float32> table, int angle, ArrayView<T> y, int target, int half,
            int count, float sign)
        where T : unmanaged, IElement<T> where TPlaces : unmanaged, IPlaces
    {
        Float4 a = FourElements.Load<T, TPlaces>(x, source, count),
            b = FourElements.Load<T, TPlaces>(x, source + half, count);
        Float4 cos = FourElements.Load<Float32, TPlaces>(table, angle, count),
            sin = FourElements.Load<Float32, TPlaces>(table, angle + half, count) * sign;
        FourElements.Store<T, TPlaces>(y, target, count, a * cos - b * sin);
        FourElements.Store<T, TPlaces>(y, target + half, count, b * cos + a * sin);
    }
}
