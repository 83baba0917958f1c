using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

internal sealed partial class GpuBackend
{
    private protected override void FillCore(Tensor x, float value)
    {
        // Zeros are what gradients begin with, every step: CUDA has a fast way for equal bytes. OpenCL's would not keep
        // the order with kernels.
        if (BitConverter.SingleToInt32Bits(value) == 0 && x.Count > 0 && stream is CudaStream)
            Bytes(x).MemSetToZero(stream);
        else if (x.DType == DType.BF16)
            Fill<BFloat16>(x, value);
        else
            Fill<Float32>(x, value);
    }

    private void Fill<T>(Tensor x, float value) where T : unmanaged, IElement<T> =>
        Launch(Each(x.Count), FillKernel, View<T>(x), value);

    [Kernel(GroupSize)]
    private static void FillKernel<T>(ArrayView<T> x, float value) where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < x.IntLength)
            x[i] = default(T).From(value);
    }
}
