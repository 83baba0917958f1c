using ILGPU;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>Memory of a GPU.</summary>
internal sealed class GpuStorage(GpuBackend backend) : Storage(backend)
{
    private MemoryBuffer1D<byte, Stride1D.Dense>? buffer;

    public override void Allocate(long bytes)
    {
        buffer = backend.AllocateZeroed(bytes, "tensors");
        Bytes = bytes;
    }

    /// <summary>The elements from place <paramref name="offset"/> on.</summary>
    public ArrayView<T> View<T>(long offset, long count) where T : unmanaged
    {
        int size = Interop.SizeOf<T>();
        return buffer!.View.SubView(offset * size, count * size).Cast<byte, T>().AsContiguous();
    }

    /// <summary>Address on the device, for kernels that are launched through the driver.</summary>
    public long Address => buffer!.NativePtr;

    public override void Dispose()
    {
        backend.Free(buffer);
        buffer = null;
        Bytes = 0;
    }
}
