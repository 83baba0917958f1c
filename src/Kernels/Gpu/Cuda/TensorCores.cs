using System.Reflection;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The tensor cores of an NVIDIA device: compiles the kernels that use them when they are first needed, and launches
/// them.
/// </summary>
/// <remarks>
/// The environment variable <c>TINYLLM_TENSOR_CORES</c> narrows what is used, for comparing and for finding faults:
/// <c>off</c> (portable kernels only) or <c>mma</c> (the instructions of compute capability 8.0 on every device).
/// </remarks>
internal sealed class TensorCores : IDisposable
{
    private const string Variable = "TINYLLM_TENSOR_CORES", Off = "off", Mma = "mma";

    private readonly CudaAccelerator accelerator;
    private readonly CudaStream stream;
    private readonly Dictionary<MethodInfo, CudaFunction> functions = [];

    private TensorCores(CudaAccelerator accelerator, CudaStream stream, int computeCapability)
    {
        (this.accelerator, this.stream, ComputeCapability) = (accelerator, stream, computeCapability);
        SharedBytesOfGroup = CudaDriver.MaxSharedBytesOfGroup(accelerator.DeviceId);
    }

    /// <summary>Whose instructions are used: 80, or 90 for those that only that one has.</summary>
    public int ComputeCapability { get; }

    /// <summary>How many multiprocessors the device has.</summary>
    public int Multiprocessors => accelerator.NumMultiprocessors;

    /// <summary>The most shared memory that a group can ask for.</summary>
    public int SharedBytesOfGroup { get; }

    /// <summary>The device's tensor cores; none where it has none for bf16, or they are switched off.</summary>
    /// <exception cref="TinyLlmException">The environment variable has another value.</exception>
    public static TensorCores? Find(CudaAccelerator accelerator, CudaStream stream)
    {
        string wanted = Environment.GetEnvironmentVariable(Variable) ?? "";
        if (wanted is not ("" or Off or Mma))
            throw new TinyLlmException($"{Variable}={wanted}: expected {Off}, {Mma}, or nothing.");
        if (accelerator.Architecture.Major < 8 || wanted == Off || !CudaDriver.IsAvailable)
            return null;
        return new TensorCores(
            accelerator, stream, wanted != Mma && CudaFunction.SupportsHopper(accelerator) ? 90 : 80);
    }

    /// <summary>Starts a kernel; its arguments as <see cref="CudaFunction.Launch"/> takes them.</summary>
    public void Launch(MethodInfo kernel, int gridX, int gridY, ReadOnlySpan<long> arguments)
    {
        if (!functions.TryGetValue(kernel, out var function))
            functions[kernel] = function = new CudaFunction(accelerator, kernel);
        // The driver's calls go to the context of the thread, which need not be the one that opened the device.
        accelerator.Bind();
        function.Launch(stream, gridX, gridY, arguments);
    }

    /// <summary>Unloads the kernels.</summary>
    public void Dispose()
    {
        foreach (var function in functions.Values)
            function.Dispose();
    }
}
