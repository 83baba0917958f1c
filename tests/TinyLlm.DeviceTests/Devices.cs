using TinyLlm.Kernels;
using TinyLlm.Kernels.Gpu;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.DeviceTests;

/// <summary>The first CUDA device.</summary>
public sealed class Cuda : IDevice
{
    public static Backend Create() => FirstDevice.Open("cuda");
}

/// <summary>The first OpenCL device, a CPU's if there is no other.</summary>
public sealed class OpenCl : IDevice
{
    public static Backend Create() => FirstDevice.Open("opencl");
}

internal static class FirstDevice
{
    /// <summary>Opens the device, or skips the test, visibly, where there is none.</summary>
    public static Backend Open(string kind)
    {
        Assert.SkipWhen(GpuDevice.Find(kind).Count == 0, $"no {kind} device: {GpuDriver.Missing(kind)}");
        return Backend.Create(kind);
    }
}
