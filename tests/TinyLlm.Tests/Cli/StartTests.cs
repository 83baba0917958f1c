using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>What a process loads: that it starts fast is a matter of what it leaves alone.</summary>
public sealed class StartTests
{
    [Theory]
    [InlineData("cpu", false)]
    [InlineData("simulated", true)]
    public void OnlyAGpu_NeedsIlgpu(string device, bool needed)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux lists what a process has loaded.");
        using var run = new SmallRun();
        using var command = run.CommandLine.Start($"{SmallRun.Pretrain} --steps 100000 --device {device} --out run");
        command.WaitForLine("step ");
        string[] files = command.MappedFiles;
        Assert.Contains("TinyLlm.Kernels.dll", files);
        Assert.Equal(needed, files.Contains("ILGPU.dll"));
    }
}
