using System.Collections.Concurrent;
using System.Reflection;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime.Cuda;

namespace TinyLlm.Tests.Support;

/// <summary>Compiles ILGPU kernels to PTX as on a CUDA device, without one.</summary>
internal static class OfflineCompiler
{
    private static readonly ConcurrentDictionary<(MethodInfo Kernel, int Capability), Lazy<string>> Compiled = new();

    /// <summary>The PTX of an explicitly grouped kernel; a generic one with its type arguments filled in.</summary>
    /// <param name="capability">The compute capability: 80 or 90.</param>
    public static string Ptx(MethodInfo kernel, int capability = 80) =>
        Compiled.GetOrAdd((kernel, capability), key => new Lazy<string>(() => Compile(key.Kernel, key.Capability))).Value;

    public static string Ptx(Delegate kernel, int capability = 80) => Ptx(kernel.Method, capability);

    private static string Compile(MethodInfo kernel, int capability)
    {
        using var context = Context.Create(builder => builder.EnableAlgorithms().Optimize(OptimizationLevel.O2));
        using var backend = new PTXBackend(context, new CudaArchitecture(capability / 10, capability % 10), CudaInstructionSet.ISA_80, null!);
        var entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel);
        return ((PTXCompiledKernel)backend.Compile(entry, default)).PTXAssembly;
    }
}
