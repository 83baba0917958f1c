using System.Runtime.InteropServices;
using ILGPU;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The way into ILGPU. What it has to know of us is told to it once a process, before the first context, hence before
/// it compiles a kernel: its tables are not safe to change while one is compiled. A process that opens no GPU never
/// loads it.
/// </summary>
internal static class GpuContext
{
    static GpuContext()
    {
        NativeLibrary.SetDllImportResolver(typeof(Context).Assembly, GpuDriver.Resolve);
        PtxText.RegisterEmit();
    }

    /// <summary>
    /// A context in which kernels compile as ours do, with the devices that <paramref name="addDevices"/> asks for.
    /// </summary>
    public static Context Create(Action<Context.Builder> addDevices) => Context.Create(builder =>
    {
        builder.EnableAlgorithms().Optimize(OptimizationLevel.O2);
        addDevices(builder);
    });
}
