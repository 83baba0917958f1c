using System.Reflection;
using System.Runtime.InteropServices;

namespace TinyLlm.Kernels.Gpu;

/// <summary>Why there is no device of a kind, asked of the drivers themselves.</summary>
internal static unsafe class GpuDriver
{
    /// <summary>
    /// The oldest CUDA driver that knows the instructions of our kernels, as the driver counts: 1000 major + 10 minor.
    /// </summary>
    public const int OldestCuda = 11000;

    /// <summary>Whether the driver's library can be loaded: quick, where looking for devices is not.</summary>
    public static bool IsInstalled(string kind)
    {
        if (!NativeLibrary.TryLoad(kind == "cuda" ? CudaLibrary : OpenCLLibrary, out nint handle))
            return false;
        NativeLibrary.Free(handle);
        return true;
    }

    /// <summary>
    /// Finds the CUDA driver for ILGPU, which asks for libcuda.so on Linux: a link that some installations lack,
    /// containers above all. The driver is libcuda.so.1.
    /// </summary>
    public static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name == "cuda" && NativeLibrary.TryLoad(CudaLibrary, out nint handle) ? handle : 0;

    /// <summary>What is missing, for one line: the driver, a new enough one, or a device.</summary>
    public static string Missing(string kind) => kind == "cuda" ? MissingCuda(CudaLibrary)
        : MissingOpenCL(OpenCLLibrary);

    /// <summary>The same for a CUDA driver of another name.</summary>
    internal static string MissingCuda(string library)
    {
        if (!NativeLibrary.TryLoad(library, out nint handle))
        {
            return $"this machine has no NVIDIA driver ({library} was not found); install it from nvidia.com, no CUDA "
                + "toolkit is needed";
        }

        try
        {
            int version = 0, devices = 0, result;
            if (!NativeLibrary.TryGetExport(handle, "cuInit", out nint init)
                || !NativeLibrary.TryGetExport(handle, "cuDriverGetVersion", out nint getVersion)
                || !NativeLibrary.TryGetExport(handle, "cuDeviceGetCount", out nint getCount))
                return $"{library} is no CUDA driver; install NVIDIA's";
            _ = ((delegate* unmanaged<int*, int>)getVersion)(&version);
            if (version < OldestCuda)
            {
                return $"the NVIDIA driver is for CUDA {Format(version)}; expected {Format(OldestCuda)} or newer, so "
                    + "update it";
            }

            if ((result = ((delegate* unmanaged<uint, int>)init)(0)) != 0)
            {
                return $"the NVIDIA driver did not start (cuInit gave error {result}); no GPU is plugged in, or this "
                    + "process may not use it";
            }

            _ = ((delegate* unmanaged<int*, int>)getCount)(&devices);
            return devices == 0 ? "the NVIDIA driver finds no GPU"
                : "ILGPU could not use the GPUs that the NVIDIA driver finds";
        }
        finally
        {
            NativeLibrary.Free(handle);
        }
    }

    /// <summary>The same for OpenCL.</summary>
    internal static string MissingOpenCL(string library)
    {
        if (!NativeLibrary.TryLoad(library, out nint handle))
        {
            return $"this machine has no OpenCL ({library} was not found); install your GPU's driver and its OpenCL "
                + "loader";
        }

        NativeLibrary.Free(handle);
        return "no OpenCL device has version 2.0 or newer with a generic address space, which kernels need; update "
            + "the GPU's driver";
    }

    /// <summary>NVIDIA's driver.</summary>
    public static string CudaLibrary => OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";

    private static string OpenCLLibrary => OperatingSystem.IsWindows() ? "OpenCL.dll"
        : OperatingSystem.IsMacOS() ? "libOpenCL.dylib" : "libOpenCL.so";

    private static string Format(int version) => $"{version / 1000}.{version % 1000 / 10}";
}
