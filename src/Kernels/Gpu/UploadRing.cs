using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Copies host memory to the device. On CUDA small copies (batches, step state) go through page-locked memory, so that
/// the caller goes on while the device still works at what came before; the ring waits for the stream only when it
/// comes round.
/// </summary>
internal sealed class UploadRing : IDisposable
{
    private const int Size = 16 << 20, Largest = Size / 4, Alignment = 256;

    private readonly AcceleratorStream stream;
    private readonly PageLockedArray1D<byte>? ring;
    private int next;

    public UploadRing(Accelerator accelerator, AcceleratorStream stream)
    {
        this.stream = stream;
        if (accelerator is CudaAccelerator)
            ring = accelerator.AllocatePageLocked1D<byte>(Size);
    }

    /// <summary>Copies <paramref name="source"/>, which may be changed as soon as this returns.</summary>
    public void Copy(ReadOnlySpan<byte> source, ArrayView<byte> destination)
    {
        if (source.IsEmpty)
            return;
        if (ring is null || source.Length > Largest)
        {
            // Pins the memory and waits; the overload that takes a reference does not pin.
            destination.CopyFromCPU(stream, source);
            return;
        }

        if (next + source.Length > Size)
        {
            stream.Synchronize();
            next = 0;
        }

        var place = ring.Span.Slice(next, source.Length);
        source.CopyTo(place);
        destination.CopyFromCPUUnsafeAsync(stream, ref place[0], place.Length);
        next += (source.Length + Alignment - 1) / Alignment * Alignment;
    }

    public void Dispose() => ring?.Dispose();
}
