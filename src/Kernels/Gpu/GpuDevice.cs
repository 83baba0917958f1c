using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace TinyLlm.Kernels.Gpu;

/// <summary>A device that ILGPU can open.</summary>
/// <param name="Kind">cuda, opencl or simulated, as <c>--device</c> takes it.</param>
/// <param name="Index">Number among the devices of its kind.</param>
/// <param name="Name">The vendor's name for it.</param>
/// <param name="MemoryBytes">Its memory.</param>
/// <param name="Features">What it supports, for people.</param>
/// <param name="IsGpu">Whether it is a GPU; OpenCL also offers CPUs, which <c>--device cpu</c> uses better.</param>
internal sealed record GpuDevice(string Kind, int Index, string Name, long MemoryBytes, string Features, bool IsGpu)
{
    // The simulator runs each thread of a group as a thread of the system; groups of 256 are what kernels are written
    // for.
    private const int SimulatedWarp = 32, SimulatedWarps = 8;

    private static readonly Lock discovery = new();

    /// <summary>One line for people.</summary>
    public string Description => $"{Kind}: {Name}, {Features}";

    /// <summary>ILGPU's simulator, for tests: it proves that a kernel is right, slowly.</summary>
    public static GpuDevice Simulated { get; } =
        new("simulated", 0, "ILGPU's simulator on the CPU (for tests: thousands of times slower than --device cpu)",
            GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, "fp32, bf16", IsGpu: false);

    /// <summary>All devices of a kind, GPUs first; none where its driver is missing.</summary>
    public static IReadOnlyList<GpuDevice> Find(string kind)
    {
        if (kind == Simulated.Kind)
            return [Simulated];
        return GpuDriver.IsInstalled(kind) ? FindInstalled(kind) : [];
    }

    private static IReadOnlyList<GpuDevice> FindInstalled(string kind)
    {
        // OpenCL's loader finds nothing for the second of two threads that begin at once.
        lock (discovery)
        {
            try
            {
                using var context = CreateContext(kind);
                return kind == "cuda" ? FindCuda(context) : FindOpenCL(context);
            }
            catch (Exception e) when (IsMissingDriver(e))
            {
                return [];
            }
        }
    }

    /// <summary>The device that a kind's name stands for: the first one that runs our kernels.</summary>
    /// <exception cref="TinyLlmException">There is none; the line says what is missing.</exception>
    public static GpuDevice Choose(string kind)
    {
        var found = Find(kind);
        if (found.Count > 0)
            return found[0];
        throw new TinyLlmException(
            $"--device {kind}: {GpuDriver.Missing(kind)}. --device auto would take {Best(except: kind) ?? "cpu"}.");
    }

    /// <summary>
    /// The kind of device that auto takes where there is a GPU: CUDA before OpenCL; none where there is no GPU.
    /// </summary>
    public static string? Best(string? except = null) =>
        ((string[])["cuda", "opencl"]).FirstOrDefault(kind => kind != except && Find(kind).Any(d => d.IsGpu));

    /// <summary>Opens the device.</summary>
    /// <exception cref="TinyLlmException">The driver refused.</exception>
    public (Context Context, Accelerator Accelerator) Open()
    {
        var context = CreateContext(Kind);
        try
        {
            var accelerator = Kind switch
            {
                "cuda" => context.GetCudaDevice(Index).CreateAccelerator(context),
                "opencl" => context.GetCLDevice(Index).CreateAccelerator(context),
                _ => context.Devices[0].CreateAccelerator(context),
            };
            return (context, accelerator);
        }
        catch (Exception e) when (e is AcceleratorException or NotSupportedException or ArgumentException)
        {
            context.Dispose();
            throw new TinyLlmException($"--device {Kind}: {Name} could not be opened "
                + $"({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); use --device cpu.", e);
        }
    }

    private static Context CreateContext(string kind) => GpuContext.Create(builder =>
    {
        switch (kind)
        {
            case "cuda":
                builder.Cuda();
                break;
            case "opencl":
                builder.OpenCL();
                break;
            default:
                builder.CPU(new CPUDevice(SimulatedWarp, SimulatedWarps, 1));
                break;
        }
    });

    private static IReadOnlyList<GpuDevice> FindCuda(Context context) =>
        [.. context.Devices.OfType<CudaDevice>().Where(d => d.DriverVersion.Value >= GpuDriver.OldestCuda)
        .Select((d, i) => new GpuDevice("cuda", i, d.Name, d.MemorySize, CudaFeatures(d), IsGpu: true))];

    private static string CudaFeatures(CudaDevice device) =>
        $"compute capability {device.Architecture}, driver for CUDA {device.DriverVersion}, "
        + $"{(device.Architecture is { Major: >= 8 } ? "fp32, bf16 on tensor cores" : "fp32, bf16")}";

    private static IReadOnlyList<GpuDevice> FindOpenCL(Context context) =>
        [.. context.Devices.OfType<CLDevice>().Select((d, i) => new GpuDevice("opencl", i, d.Name, d.MemorySize,
            $"{d.PlatformName}, OpenCL C {d.CVersion}, fp32, bf16",
                d.DeviceType.HasFlag(CLDeviceType.CL_DEVICE_TYPE_GPU))).OrderByDescending(d => d.IsGpu)];

    private static bool IsMissingDriver(Exception e) =>
        e is DllNotFoundException or EntryPointNotFoundException or AcceleratorException or NotSupportedException
        || (e.InnerException is { } inner && IsMissingDriver(inner));
}
