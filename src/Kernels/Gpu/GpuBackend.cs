using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// A GPU, through ILGPU: CUDA, OpenCL, or ILGPU's simulator. Each op's file <c>Ops/NAME.Gpu.cs</c> adds its part: the
/// core, which chooses the launches, and its kernels, which run on every device; <c>Ops/NAME.Cuda.cs</c> adds
/// tensor-core kernels where there are any.
/// </summary>
/// <remarks>
/// All work goes to one stream, in order. Kernels cut their work by shape alone and add no floats atomically, so that
/// the same call gives the same bits.
/// </remarks>
internal sealed partial class GpuBackend : Backend
{
    private readonly GpuDevice device;
    private readonly Context context;
    private readonly Accelerator accelerator;
    private readonly AcceleratorStream stream;
    private readonly UploadRing uploads;
    private readonly TensorCores? tensorCores;
    private long allocated;

    /// <summary>Opens a device.</summary>
    /// <exception cref="TinyLlmException">It cannot be opened.</exception>
    public GpuBackend(GpuDevice device)
    {
        this.device = device;
        (context, accelerator) = device.Open();

        // Not bound to the default stream: a stream that is could not be recorded while anything runs there.
        stream = accelerator is CudaAccelerator cuda ? cuda.CreateStream(StreamFlags.CU_STREAM_NON_BLOCKING)
            : accelerator.CreateStream();
        uploads = new UploadRing(accelerator, stream);
        if (accelerator is CudaAccelerator withCores)
            tensorCores = TensorCores.Find(withCores, (CudaStream)stream);

        // A forty-eighth of the memory: all of a batch's logits on a large card, a handful of rows on a small one.
        LogitsBytes = Math.Clamp(device.MemoryBytes / 48, 64 << 20, 2L << 30);
    }

    public override string Name => device.Kind;

    public override string Description => device.Description;

    // bf16 is worth it where tensor cores multiply it; without them its smaller traffic does not make up for the
    // conversions.
    public override DType PreferredComputeType => tensorCores is null ? DType.F32 : DType.BF16;

    public override bool Supports(DType dtype) => dtype != DType.I8;

    public override long AvailableBytes => accelerator switch
    {
        CudaAccelerator cuda => cuda.GetFreeMemory(),
        CLAccelerator => Math.Max(0, device.MemoryBytes - allocated), // OpenCL does not tell what others hold
        _ => Math.Max(0, device.MemoryBytes - Environment.WorkingSet),
    };

    public override bool IsAsynchronous => stream is CudaStream;

    public override OpSequence Record(Action ops) =>
        stream is CudaStream cuda ? new CudaOpSequence(this, (CudaAccelerator)accelerator, cuda.StreamPtr, ops)
            : base.Record(ops);

    public override ReadBack CreateReadBack(int count) =>
        stream is CudaStream cuda && CudaDriver.IsAvailable
        ? new CudaReadBack((CudaAccelerator)accelerator, cuda, count) : base.CreateReadBack(count);

    public override Storage CreateStorage() => new GpuStorage(this);

    public override void Write(Tensor destination, ReadOnlySpan<float> source)
    {
        Check.That(source.Length == destination.Count && destination.IsContiguous
            && destination.DType != DType.I32, "Write", $"{source.Length} floats into {destination}.");
        if (destination.DType == DType.F32)
        {
            uploads.Copy(MemoryMarshal.AsBytes(source), Bytes(destination));
            return;
        }

        var rounded = new BFloat16[source.Length];
        for (int i = 0; i < rounded.Length; i++)
            rounded[i] = default(BFloat16).From(source[i]);
        uploads.Copy(MemoryMarshal.AsBytes<BFloat16>(rounded), Bytes(destination));
    }

    public override void Write(Tensor destination, ReadOnlySpan<int> source)
    {
        Check.That(source.Length == destination.Count && destination.IsContiguous
            && destination.DType == DType.I32, "Write", $"{source.Length} integers into {destination}.");
        uploads.Copy(MemoryMarshal.AsBytes(source), Bytes(destination));
    }

    public override void Read(Tensor source, Span<float> destination)
    {
        Check.That(destination.Length == source.Count && source.IsContiguous
            && source.DType != DType.I32, "Read", $"{source} into {destination.Length} floats.");
        if (source.DType == DType.F32)
        {
            Download(source, MemoryMarshal.AsBytes(destination));
            return;
        }

        var elements = new BFloat16[destination.Length];
        Download(source, MemoryMarshal.AsBytes(elements.AsSpan()));
        for (int i = 0; i < elements.Length; i++)
            destination[i] = elements[i].ToFloat();
    }

    public override void Synchronize() => stream.Synchronize();

    /// <summary>Zeroed memory of the device.</summary>
    /// <exception cref="TinyLlmException">The device has not that much.</exception>
    public MemoryBuffer1D<byte, Stride1D.Dense> AllocateZeroed(long bytes, string what)
    {
        try
        {
            var buffer = accelerator.Allocate1D<byte>(bytes);
            buffer.View.MemSetToZero(stream);
            accelerator.Synchronize(); // OpenCL: the zeros must not come after what is written next
            allocated += bytes;
            return buffer;
        }
        catch (Exception e) when (e is AcceleratorException or OutOfMemoryException or OverflowException)
        {
            throw new TinyLlmException($"Not enough memory on --device {Name} for {what}: {bytes / 1048576.0:F0} MiB "
                + $"asked for, {AvailableBytes / 1048576.0:F0} MiB are free; " +
                "a smaller batch, context or model shrinks it.", e);
        }
    }

    /// <summary>Returns memory to the device, once the work that uses it is done.</summary>
    public void Free(MemoryBuffer1D<byte, Stride1D.Dense>? buffer)
    {
        if (buffer is null)
            return;
        stream.Synchronize();
        allocated -= buffer.Length;
        buffer.Dispose();
    }

    public override void Dispose()
    {
        foreach (var buffer in scratch)
            Free(buffer);
        tensorCores?.Dispose();
        uploads.Dispose();
        stream.Dispose();
        accelerator.Dispose();
        context.Dispose();
    }

    private void Download(Tensor source, Span<byte> destination)
    {
        if (destination.IsEmpty)
            return;
        // Pins the memory and waits; the overload that takes a reference does not pin.
        Bytes(source).CopyToCPU(stream, destination);
    }

    private static ArrayView<byte> Bytes(Tensor tensor) =>
        ((GpuStorage)tensor.Storage)
        .View<byte>(tensor.Offset * tensor.DType.Size(), tensor.Count * tensor.DType.Size());
}
