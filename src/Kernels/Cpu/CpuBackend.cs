using System.Runtime.Intrinsics;

namespace TinyLlm.Kernels.Cpu;

/// <summary>What does not depend on the vector width: opening the backend and its memory.</summary>
internal abstract class CpuBackend : Backend
{
    public override string Name => "cpu";

    /// <summary>
    /// Opens the CPU with the widest vectors that the hardware has, or, for tests, with those of
    /// <paramref name="vectorBits"/>: 512, 256, 128, or 32 for plain scalar code (0: the widest).
    /// </summary>
    public static CpuBackend Create(int threads = 0, int vectorBits = 0)
    {
        if (threads == 0)
            threads = Environment.ProcessorCount;
        if (vectorBits == 0)
        {
            vectorBits = Vector512.IsHardwareAccelerated ? 512
                : Vector256.IsHardwareAccelerated ? 256
                : Vector128.IsHardwareAccelerated ? 128
                : 32;
        }

        return vectorBits switch
        {
            512 => new CpuBackend<Simd512>(threads),
            256 => new CpuBackend<Simd256>(threads),
            128 => new CpuBackend<Simd128>(threads),
            _ => new CpuBackend<SimdScalar>(threads),
        };
    }

    // What the system or a container grants the process, less what it has. A system that overcommits would kill it
    // later instead of saying no.
    public override long AvailableBytes =>
        Math.Max(0, Math.Min(
            GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet, MemoryLimit - ClaimedBytes));

    /// <summary>For tests, a device with little memory: the most bytes that its tensors take together.</summary>
    public long MemoryLimit { get; set; } = long.MaxValue;

    /// <summary>
    /// For tests, a device whose memory is in pieces: the most bytes at a time, of which <see cref="AvailableBytes"/>
    /// does not know.
    /// </summary>
    public long LargestPiece { get; set; } = long.MaxValue;

    /// <summary>
    /// For tests, a device that seems to work on its own: the loop starts the next step before it reads the figures of
    /// this one.
    /// </summary>
    public bool SeemsAsynchronous { get; set; }

    public override bool IsAsynchronous => SeemsAsynchronous;

    /// <summary>Bytes of all tensors.</summary>
    public long ClaimedBytes { get; set; }

    public override bool Supports(DType dtype) => dtype != DType.BF16;

    public override bool SharesOutputs => true;

    public override Storage CreateStorage() => new CpuStorage(this);
}

/// <summary>Memory of the CPU backend.</summary>
internal sealed unsafe class CpuStorage(CpuBackend backend) : Storage(backend)
{
    private readonly CpuBackend owner = backend;
    private NativeBuffer? buffer;

    public byte* Pointer { get; private set; }

    public override void Allocate(long bytes)
    {
        if (bytes > owner.LargestPiece)
            throw NativeBuffer.Refused(bytes, "tensors");
        buffer = new NativeBuffer(bytes, "tensors");
        Pointer = buffer.Pointer;
        Bytes = bytes;
        owner.ClaimedBytes += bytes;
    }

    public override void Dispose()
    {
        buffer?.Dispose();
        buffer = null;
        Pointer = null;
        owner.ClaimedBytes -= Bytes;
        Bytes = 0;
    }
}

/// <summary>
/// The CPU backend with vectors <typeparamref name="V"/>. Each op's file <c>Ops/NAME.Cpu.cs</c> adds its part: the
/// core, which chooses how the work is cut, and its kernels.
/// </summary>
internal sealed unsafe partial class CpuBackend<V> : CpuBackend where V : struct, ISimd<V>
{
    // Scratch memory that all threads of a kernel share: packed panels of a product, chunks of logits, partial sums.
    private const int SharedPanels = 0, SharedLogits = 1, SharedPartials = 2, SharedSlots = 3;

    private readonly WorkerPool pool;
    private readonly NativeBuffer?[] scratch;

    public CpuBackend(int threads)
    {
        pool = new WorkerPool(threads);
        scratch = new NativeBuffer?[threads + SharedSlots];
    }

    public override string Description =>
        $"cpu: {pool.Threads} thread{(pool.Threads == 1 ? "" : "s")}, {V.Width}-wide float vectors";

    public override void Write(Tensor destination, ReadOnlySpan<float> source)
    {
        Check.That(source.Length == destination.Count && destination.IsContiguous
            && destination.DType == DType.F32, "Write", $"{source.Length} floats into {destination}.");
        source.CopyTo(new Span<float>(Pointer(destination), source.Length));
    }

    public override void Write(Tensor destination, Action<Span<float>> fill)
    {
        Check.That(destination.IsContiguous && destination.DType == DType.F32, "Write", $"to fill {destination}.");
        fill(new Span<float>(Pointer(destination), checked((int)destination.Count)));
    }

    public override void Write(Tensor destination, ReadOnlySpan<int> source)
    {
        Check.That(source.Length == destination.Count && destination.IsContiguous
            && destination.DType == DType.I32, "Write", $"{source.Length} integers into {destination}.");
        source.CopyTo(new Span<int>(IntPointer(destination), source.Length));
    }

    public override void Read(Tensor source, Span<float> destination)
    {
        Check.That(destination.Length == source.Count && source.IsContiguous
            && source.DType == DType.F32, "Read", $"{source} into {destination.Length} floats.");
        new Span<float>(Pointer(source), destination.Length).CopyTo(destination);
    }

    public override void Synchronize() { }

    public override void Dispose()
    {
        pool.Dispose();
        foreach (var buffer in scratch)
            buffer?.Dispose();
    }

    /// <summary>Address of the first element of an F32 tensor.</summary>
    private static float* Pointer(Tensor tensor) => (float*)((CpuStorage)tensor.Storage).Pointer + tensor.Offset;

    /// <summary>Address of the first element of an F32 tensor, null where there is none.</summary>
    private static float* Pointer(Tensor? tensor) => tensor is { } present ? Pointer(present) : null;

    /// <summary>Address of the first element of an I32 tensor.</summary>
    private static int* IntPointer(Tensor tensor) => (int*)((CpuStorage)tensor.Storage).Pointer + tensor.Offset;

    /// <summary>Address of the first element of an I32 tensor, null where there is none.</summary>
    private static int* IntPointer(Tensor? tensor) => tensor is { } present ? IntPointer(present) : null;

    /// <summary>
    /// Scratch memory of one thread, at least <paramref name="floats"/> long, kept from call to call; its content is
    /// whatever the last kernel left. It grows during the first step and not after.
    /// </summary>
    private float* Scratch(int thread, long floats)
    {
        var buffer = scratch[thread];
        if (buffer is null || buffer.Bytes < floats * sizeof(float))
        {
            buffer?.Dispose();
            scratch[thread] = buffer = new NativeBuffer(floats * sizeof(float), "scratch");
        }

        return (float*)buffer.Pointer;
    }

    /// <summary>Scratch memory of one of the shared slots.</summary>
    private float* SharedScratch(int slot, long floats) => Scratch(pool.Threads + slot, floats);
}
