using System.Runtime.InteropServices;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>A copy into page-locked memory, with a mark behind it in the stream.</summary>
internal sealed class CudaReadBack : ReadBack
{
    private readonly CudaAccelerator accelerator;
    private readonly CudaStream stream;
    private readonly PageLockedArray1D<float> values;
    private readonly nint arrived;

    public CudaReadBack(CudaAccelerator accelerator, CudaStream stream, int count) : base(count)
    {
        (this.accelerator, this.stream) = (accelerator, stream);
        accelerator.Bind();
        arrived = CudaDriver.CreateEvent();
        values = accelerator.AllocatePageLocked1D<float>(count);
    }

    public override void Start(Tensor source)
    {
        Check.That(source.DType == DType.F32 && source.IsContiguous
            && source.Count == values.Length, nameof(ReadBack), $"{source} into {values.Length} floats.");
        var view = ((GpuStorage)source.Storage).View<float>(source.Offset, source.Count);
        view.CopyToCPUUnsafeAsync(stream, ref MemoryMarshal.GetReference(values.Span), values.Length);
        accelerator.Bind();
        CudaDriver.RecordEvent(arrived, stream.StreamPtr);
    }

    public override ReadOnlySpan<float> Wait()
    {
        accelerator.Bind();
        CudaDriver.WaitForEvent(arrived);
        return values.Span;
    }

    protected override void Dispose(bool disposing)
    {
        stream.Synchronize();
        accelerator.Bind();
        CudaDriver.DestroyEvent(arrived);
        values.Dispose();
        base.Dispose(disposing);
    }
}
