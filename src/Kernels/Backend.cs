namespace TinyLlm.Kernels;

/// <summary>
/// Where tensors live and ops run. An op is declared in <c>Ops/NAME.cs</c>: its documentation, its shape check, and an
/// abstract core that each backend implements beside it (<c>NAME.Cpu.cs</c>, <c>NAME.Gpu.cs</c>), so a missing
/// implementation does not compile.
/// </summary>
/// <remarks>
/// Ops may run asynchronously, in order; <see cref="Read(Tensor, Span{float})"/> and <see cref="Synchronize"/> wait for
/// them. Conventions: parameter gradients accumulate (+=), activation gradients are overwritten, unless the op says
/// otherwise. A backend is used from one thread at a time.
/// </remarks>
public abstract partial class Backend : IDisposable
{
    /// <summary>
    /// The most worker threads: more than any machine has cores, fewer than a process may have threads.
    /// </summary>
    public const int MaxThreads = 1024;

    /// <summary>Short name, as <c>--device</c> takes it.</summary>
    public abstract string Name { get; }

    /// <summary>One line for people: the device, its width, its threads.</summary>
    public abstract string Description { get; }

    /// <summary>
    /// Opens a backend. <paramref name="device"/>: <c>auto</c> (the best there is: CUDA, then OpenCL, then the CPU),
    /// <c>cpu</c>, <c>cuda</c>, <c>opencl</c>, or <c>simulated</c> (GPU kernels without a GPU, for tests).
    /// <paramref name="threads"/>: worker threads on the CPU, 0 for one a core; results do not depend on it.
    /// </summary>
    /// <exception cref="TinyLlmException">The device is unknown or not there.</exception>
    public static Backend Create(string device = "auto", int threads = 0)
    {
        if (threads is < 0 or > MaxThreads)
            throw new TinyLlmException($"--threads {threads}: expected 0 (one a core) to {MaxThreads}.");
        return device switch
        {
            "auto" => Gpu.GpuDevice.Best() is { } best ? new Gpu.GpuBackend(Gpu.GpuDevice.Choose(best))
                : Cpu.CpuBackend.Create(threads),
            "cpu" => Cpu.CpuBackend.Create(threads),
            "cuda" or "opencl" or "simulated" => new Gpu.GpuBackend(Gpu.GpuDevice.Choose(device)),
            _ => throw new TinyLlmException($"--device {device}: expected auto, cpu, cuda, opencl or simulated."),
        };
    }

    /// <summary>Whether tensors of this type can be planned here; ops take every type that can.</summary>
    public abstract bool Supports(DType dtype);

    /// <summary>The type of activations that trains fastest here without a loss of quality.</summary>
    public virtual DType PreferredComputeType => DType.F32;

    /// <summary>
    /// Whether training should compute the outputs of norms and activation functions once more in the backward pass
    /// rather than keep them: where that costs next to nothing.
    /// </summary>
    public virtual bool SharesOutputs => false;

    /// <summary>Bytes that can still be allocated, as far as the device tells.</summary>
    public abstract long AvailableBytes { get; }

    /// <summary>Refuses what does not fit into the memory that is free.</summary>
    /// <param name="bytes">How much is needed.</param>
    /// <param name="what">What needs it.</param>
    /// <param name="shrink">The options that would shrink it.</param>
    /// <exception cref="TinyLlmException">It does not fit.</exception>
    public void CheckFits(double bytes, string what, string shrink)
    {
        long available = AvailableBytes;
        if (!(bytes <= available))
        {
            throw new TinyLlmException(
                $"{what}: {bytes / 1048576:F0} MiB are needed and {available / 1048576.0:F0} MiB are free; {shrink}.");
        }
    }

    /// <summary>A block of this backend's memory, not yet allocated.</summary>
    public abstract Storage CreateStorage();

    /// <summary>Copies host floats into a contiguous F32 tensor of the same number of elements.</summary>
    public abstract void Write(Tensor destination, ReadOnlySpan<float> source);

    /// <summary>
    /// Has <paramref name="fill"/> write every element of a contiguous F32 tensor, which has at most 2^31 - 1: where
    /// they lie if the host can reach them, else into an array that is then sent to the device.
    /// </summary>
    public virtual void Write(Tensor destination, Action<Span<float>> fill)
    {
        var values = new float[destination.Count];
        fill(values);
        Write(destination, values);
    }

    /// <summary>Copies host integers into a contiguous I32 tensor of the same number of elements.</summary>
    public abstract void Write(Tensor destination, ReadOnlySpan<int> source);

    /// <summary>Waits for the ops so far and copies a contiguous F32 tensor to the host.</summary>
    public abstract void Read(Tensor source, Span<float> destination);

    /// <summary>
    /// Whether ops go on after the call that starts them has returned. The host can then prepare the next step while
    /// this one runs.
    /// </summary>
    public virtual bool IsAsynchronous => false;

    /// <summary>Makes a sequence of ops that is run many times; see <see cref="OpSequence"/>.</summary>
    public virtual OpSequence Record(Action ops) => new(ops);

    /// <summary>
    /// Makes room on the host for <paramref name="count"/> floats that are read while the device works on; see
    /// <see cref="ReadBack"/>.
    /// </summary>
    public virtual ReadBack CreateReadBack(int count) => new(count);

    /// <summary>Waits until all ops so far are done.</summary>
    public abstract void Synchronize();

    /// <summary>Stops the workers and returns the memory of the backend's own.</summary>
    public abstract void Dispose();
}
