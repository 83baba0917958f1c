using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void SoftmaxCore(Tensor x, Tensor y)
    {
        if (x.DType == DType.BF16)
            Softmax<BFloat16>(x, y);
        else
            Softmax<Float32>(x, y);
    }

    private protected override void SoftmaxBackwardCore(Tensor dy, Tensor y, Tensor dx)
    {
        if (y.DType == DType.BF16)
            SoftmaxBackward<BFloat16>(dy, y, dx);
        else
            SoftmaxBackward<Float32>(dy, y, dx);
    }

    private void Softmax<T>(Tensor x, Tensor y) where T : unmanaged, IElement<T>
    {
        int rows = x.Shape.Rows, c = x.Shape[-1];
        Launch(EachRow(rows, c), SoftmaxKernel, View<T>(x), View<T>(y), rows, c, ThreadsOfRow(c));
    }

    private void SoftmaxBackward<T>(Tensor dy, Tensor y, Tensor dx) where T : unmanaged, IElement<T>
    {
        int rows = y.Shape.Rows, c = y.Shape[-1];
        Launch(EachRow(rows, c), SoftmaxBackwardKernel, View<T>(dy), View<T>(y), View<T>(dx), rows, c, ThreadsOfRow(c));
    }

    [Kernel(GroupSize)]
    private static void SoftmaxKernel<T>(ArrayView<T> x, ArrayView<T> y, int rows, int c, Lanes threads)
        where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int row = Grid.IdxX * threads.Lines + threads.Line, first = threads.Lane, place = row * c;
        int end = row < rows ? c : 0; // threads without a row go along to the barriers
        float max = float.NegativeInfinity;
        for (int i = first; i < end; i += threads.Count)
            max = XMath.Max(max, x[place + i].ToFloat());
        max = GroupReduction.Max(max, shared, threads.Count);

        float sum = 0;
        for (int i = first; i < end; i += threads.Count)
            sum += XMath.Exp(x[place + i].ToFloat() - max);
        float scale = 1 / GroupReduction.Sum(sum, shared, threads.Count);
        for (int i = first; i < end; i += threads.Count)
            y[place + i] = default(T).From(XMath.Exp(x[place + i].ToFloat() - max) * scale);
    }

    [Kernel(GroupSize)]
    private static void SoftmaxBackwardKernel<T>(ArrayView<T> dy, ArrayView<T> y, ArrayView<T> dx, int rows, int c,
        Lanes threads) where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int row = Grid.IdxX * threads.Lines + threads.Line, first = threads.Lane, place = row * c;
        int end = row < rows ? c : 0;
        float sum = 0;
        for (int i = first; i < end; i += threads.Count)
            sum += dy[place + i].ToFloat() * y[place + i].ToFloat();
        float weighted = GroupReduction.Sum(sum, shared, threads.Count);
        for (int i = first; i < end; i += threads.Count)
            dx[place + i] = default(T).From(y[place + i].ToFloat() * (dy[place + i].ToFloat() - weighted));
    }
}
