using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// A kernel whose parameters are primitives and <see cref="TensorMap"/>s, compiled for a CUDA device and launched
/// through the driver: with more than 48 KB of shared memory, the instructions of compute capability 9.0, and no
/// allocation at a launch, none of which ILGPU's launchers offer.
/// </summary>
internal sealed partial class CudaFunction : IDisposable
{
    private readonly CudaKernel loaded;
    private readonly KernelAttribute traits;
    private readonly int[] slots;

    /// <summary>
    /// Compiles and loads <paramref name="kernel"/>, a static method marked as <see cref="KernelAttribute"/>.
    /// </summary>
    public CudaFunction(CudaAccelerator accelerator, MethodInfo kernel)
    {
        traits = TraitsOf(kernel);
        slots = SlotsOf(kernel);
        loaded = (CudaKernel)accelerator.LoadKernel(Compile(accelerator.Backend, kernel));
        if (traits.DynamicSharedBytes > 0)
            CudaDriver.SetMaxDynamicShared(loaded.FunctionPtr, traits.DynamicSharedBytes);
    }

    /// <summary>Whether the device has the instructions of Hopper (wgmma), and a driver that knows them.</summary>
    public static bool SupportsHopper(CudaAccelerator accelerator) =>
        accelerator.Architecture is { Major: 9, Minor: 0 } && accelerator.InstructionSet >= CudaInstructionSet.ISA_80
        && CudaDriver.SupportsTensorMaps;

    /// <summary>Compiles a marked kernel; its PTX is what a device gets.</summary>
    public static PTXCompiledKernel Compile(PTXBackend backend, MethodInfo kernel)
    {
        var traits = TraitsOf(kernel);
        var entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel);
        bool isForHopper = traits.ComputeCapability >= 90;
        // There setmaxnreg shares out all registers of a multiprocessor, which the assembler believes only where one
        // group is said to be enough.
        var compiled = (PTXCompiledKernel)backend.Compile(
            entry, new KernelSpecialization(traits.GroupSize, isForHopper ? 1 : null));
        if (isForHopper)
            Replace(compiled, ForHopper(compiled.PTXAssembly));
        return compiled;
    }

    /// <summary>The slots of 8 bytes in which the arguments of a kernel's parameters start.</summary>
    public static int[] SlotsOf(MethodInfo kernel)
    {
        var parameters = kernel.GetParameters();
        var starts = new int[parameters.Length];
        for (int i = 1; i < starts.Length; i++)
            starts[i] = starts[i - 1] + (parameters[i - 1].ParameterType == typeof(TensorMap) ? TensorMap.Slots : 1);
        return starts;
    }

    /// <summary>
    /// Starts the kernel. Each of <paramref name="arguments"/> holds one parameter, an int in its lower half; a
    /// <see cref="TensorMap"/> takes several.
    /// </summary>
    public void Launch(CudaStream stream, int gridX, int gridY, ReadOnlySpan<long> arguments) =>
        CudaDriver.Launch(
            loaded.FunctionPtr, gridX, gridY, traits.GroupSize, traits.DynamicSharedBytes, stream.StreamPtr, arguments,
            slots);

    /// <summary>Unloads the kernel.</summary>
    public void Dispose() => loaded.Dispose();

    private static KernelAttribute TraitsOf(MethodInfo kernel) =>
        kernel.GetCustomAttribute<KernelAttribute>()
        ?? throw new ArgumentException($"{kernel.Name} is not marked as a kernel.");

    // ILGPU names no target above sm_80. It makes up the names of parameters, so that inline PTX cannot know them, and
    // aligns a TensorMap like its fields.
    private static string ForHopper(string ptx)
    {
        ptx = TargetLine().Replace(ptx, ".target sm_90a", 1);
        foreach (Match parameter in TensorMapParameter().Matches(ptx))
        {
            ptx = ptx.Replace(
                parameter.Value, $".param .align 64 .b8 {parameter.Groups["name"].Value}[128]",
                StringComparison.Ordinal);
            ptx = ptx.Replace(
                $"param_{parameter.Groups["given"].Value};", $"{parameter.Groups["name"].Value};",
                StringComparison.Ordinal);
        }

        return ptx;
    }

    private static void Replace(PTXCompiledKernel compiled, string ptx)
    {
        var text = typeof(PTXCompiledKernel)
            .GetField($"<{nameof(PTXCompiledKernel.PTXAssembly)}>k__BackingField",
                BindingFlags.Instance | BindingFlags.NonPublic)
            ?? throw new NotSupportedException(
                "ILGPU's compiled kernels no longer keep their PTX in an automatic property.");
        text.SetValue(compiled, ptx);
    }

    [GeneratedRegex(@"^\.target[ \t]+\S+", RegexOptions.Multiline)]
    private static partial Regex TargetLine();

    [GeneratedRegex(@"\.param \.align 8 \.b8 (?<name>_(?<given>\w+)_\d+)\[128\]")]
    private static partial Regex TensorMapParameter();
}
