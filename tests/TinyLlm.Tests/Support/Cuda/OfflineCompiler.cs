using System.Collections.Concurrent;
using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using TinyLlm.Kernels.Gpu;

namespace TinyLlm.Tests.Support;

/// <summary>Compiles ILGPU kernels to PTX as on a CUDA device, without one.</summary>
internal static partial class OfflineCompiler
{
    // One context for all: the first compilation in each costs half a second.
    private static readonly Context context = GpuContext.Create(_ => { });
    private static readonly ConcurrentDictionary<(MethodInfo Kernel, int Capability), Lazy<string>> compiled = new();

    /// <summary>
    /// The PTX of an explicitly grouped kernel; a generic one has its type arguments. The same kernel always has the
    /// same text.
    /// </summary>
    /// <param name="capability">The compute capability: 80 or 90.</param>
    public static string Ptx(MethodInfo kernel, int capability = 80) =>
        compiled.GetOrAdd((kernel, capability), key => new(() => Renumber(Compile(key.Kernel, key.Capability)))).Value;

    /// <summary>The same of a method that is named as a delegate.</summary>
    public static string Ptx(Delegate kernel, int capability = 80) => Ptx(kernel.Method, capability);

    private static string Compile(MethodInfo kernel, int capability)
    {
        lock (context)
        {
            using var backend = new PTXBackend(
                context, new CudaArchitecture(capability / 10, capability % 10), CudaInstructionSet.ISA_80, null!);
            // Kernels with instructions of CUDA's are compiled by us, the others as ILGPU loads them.
            if (kernel.GetCustomAttribute<KernelAttribute>() is { ComputeCapability: > 0 })
                return CudaFunction.Compile(backend, kernel).PTXAssembly;
            var entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel);
            return ((PTXCompiledKernel)backend.Compile(entry, new KernelSpecialization())).PTXAssembly;
        }
    }

    /// <summary>
    /// ILGPU numbers parameters and labels through all that a context compiles; here they count from 0 in each text.
    /// </summary>
    private static string Renumber(string ptx)
    {
        var numbers = new Dictionary<string, int>();
        return NumberedName().Replace(ptx, match =>
        {
            numbers.TryAdd(match.Value, numbers.Count);
            return $"{match.Groups[1].Value}_{numbers[match.Value]}";
        });
    }

    [GeneratedRegex(@"\b(L|_[A-Za-z]\w*)_\d+\b")]
    private static partial Regex NumberedName();
}
