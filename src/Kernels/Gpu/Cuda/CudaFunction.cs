using System.Reflection;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// A kernel of primitive parameters, compiled for a CUDA device and launched through the driver: with more than 48 KB of shared memory, the instructions
/// of compute capability 9.0, and no allocation at a launch, none of which ILGPU's launchers offer.
/// </summary>
internal sealed class CudaFunction : IDisposable
{
    // The newest target that ILGPU writes, whatever the device, and the one that has the tensor core instructions of Hopper.
    private const string TargetOfIlgpu = ".target sm_80", TargetOfHopper = ".target sm_90a";

    private readonly CudaKernel loaded;
    private readonly KernelAttribute traits;

    /// <summary>Compiles and loads <paramref name="kernel"/>, a static method marked as <see cref="KernelAttribute"/>.</summary>
    public CudaFunction(CudaAccelerator accelerator, MethodInfo kernel)
    {
        traits = kernel.GetCustomAttribute<KernelAttribute>() ?? throw new ArgumentException($"{kernel.Name} is not marked as a kernel.");
        var entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel);
        var compiled = (PTXCompiledKernel)accelerator.Backend.Compile(entry, new KernelSpecialization(traits.GroupSize, null));
        if (traits.ComputeCapability >= 90)
            TargetHopper(compiled);
        loaded = (CudaKernel)accelerator.LoadKernel(compiled);
        if (traits.DynamicSharedBytes > 0)
            CudaDriver.SetMaxDynamicShared(loaded.FunctionPtr, traits.DynamicSharedBytes);
    }

    /// <summary>Starts the kernel; each of <paramref name="arguments"/> holds one parameter, an int in its lower half.</summary>
    public void Launch(CudaStream stream, int gridX, int gridY, ReadOnlySpan<long> arguments) =>
        CudaDriver.Launch(loaded.FunctionPtr, gridX, gridY, traits.GroupSize, traits.DynamicSharedBytes, stream.StreamPtr, arguments);

    /// <summary>Unloads the kernel.</summary>
    public void Dispose() => loaded.Dispose();

    /// <summary><paramref name="ptx"/> for the target that has wgmma.</summary>
    public static string WithHopperTarget(string ptx) =>
        ptx.Contains(TargetOfIlgpu, StringComparison.Ordinal)
            ? ptx.Replace(TargetOfIlgpu, TargetOfHopper, StringComparison.Ordinal)
            : throw new NotSupportedException($"ILGPU's PTX was expected to have the line {TargetOfIlgpu}.");

    private static void TargetHopper(PTXCompiledKernel compiled)
    {
        FieldInfo text = typeof(PTXCompiledKernel).GetField($"<{nameof(PTXCompiledKernel.PTXAssembly)}>k__BackingField", BindingFlags.Instance | BindingFlags.NonPublic)
            ?? throw new NotSupportedException("ILGPU's compiled kernels no longer keep their PTX in an automatic property.");
        text.SetValue(compiled, WithHopperTarget(compiled.PTXAssembly));
    }
}
