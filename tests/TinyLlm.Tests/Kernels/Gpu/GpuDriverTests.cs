using TinyLlm.Kernels;
using TinyLlm.Kernels.Gpu;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>What is said where there is no device: what is missing, and what would be taken instead.</summary>
public sealed class GpuDriverTests
{
    private const string NoLibrary = "libnosuchdriver.so.7";

    [Fact]
    public void WithoutADriver_ItsLibraryIsNamed()
    {
        Assert.Contains(
            $"no NVIDIA driver ({NoLibrary} was not found)", GpuDriver.MissingCuda(NoLibrary),
            StringComparison.Ordinal);
        Assert.Contains(
            $"no OpenCL ({NoLibrary} was not found)", GpuDriver.MissingOpenCL(NoLibrary), StringComparison.Ordinal);
    }

    [Fact]
    public void ALibraryThatIsNoDriver_IsNamed()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The C library has another name here.");
        Assert.Contains("libc.so.6 is no CUDA driver", GpuDriver.MissingCuda("libc.so.6"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cuda")]
    [InlineData("opencl")]
    public void ADeviceThatIsNotThere_IsOneLineThatSaysWhatAutoTakes(string kind)
    {
        Assert.SkipWhen(GpuDevice.Find(kind).Count > 0, $"This machine has a {kind} device.");
        string message = Assert.Throws<TinyLlmException>(() => Backend.Create(kind)).Message;
        Assert.StartsWith($"--device {kind}: ", message, StringComparison.Ordinal);
        Assert.Contains($"--device auto would take {GpuDevice.Best() ?? "cpu"}.", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void TheList_HasEveryKindOnce_AndOneThatAutoTakes()
    {
        var lines = DeviceList.Find();
        Assert.Equal(["cpu", "cuda", "opencl", "simulated"], lines.Select(line => line.Name).Distinct());
        Assert.Equal(GpuDevice.Best() ?? "cpu", Assert.Single(lines, line => line.IsAuto).Name);
    }
}
