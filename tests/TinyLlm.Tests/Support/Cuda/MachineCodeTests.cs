using TinyLlm.Kernels.Gpu;
using Xunit;

namespace TinyLlm.Tests.Support.Cuda;

/// <summary>The check of machine code finds what is wrong with each of the samples, on each architecture.</summary>
public sealed class MachineCodeTests
{
    public static TheoryData<string> Targets => new("sm_80", "sm_90");

    [Theory]
    [MemberData(nameof(Targets))]
    public void SoundKernel_HasNoFaults(string targetName)
    {
        var (kernel, target, code) = Assemble("Fine<BFloat16, Float32>", targetName);
        Assert.Empty(code.Faults(kernel, target));
        Assert.Equal(0, code.LocalInstructions);
        Assert.Equal(512, code.SharedBytes);
        Assert.InRange(code.Registers, 8, 40);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void LocalMemory_IsAFaultOfAHotKernel(string targetName)
    {
        var (kernel, target, code) = Assemble("Local", targetName);
        Assert.Contains("local memory: 64 bytes", Assert.Single(code.Faults(kernel, target)));
        Assert.True(code.LocalInstructions > 0);
        Assert.Empty(code.Faults(Cold(kernel), target));

        // Each of the two signs is enough; code that nobody looked at is not sound.
        Assert.Single((code with { StackBytes = 0 }).Faults(kernel, target));
        Assert.Single((code with { LocalInstructions = 0 }).Faults(kernel, target));
        Assert.Single((code with { StackBytes = 0, LocalInstructions = null }).Faults(kernel, target));
        Assert.Empty((code with { StackBytes = 0, LocalInstructions = 0 }).Faults(kernel, target));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Spill_IsAFault(string targetName)
    {
        var (kernel, target, code) = Assemble("Spilling", targetName);
        Assert.Contains("spilled", Assert.Single(code.Faults(kernel, target)));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void GroupThatDoesNotFit_IsAFault(string targetName)
    {
        var (kernel, target, code) = Assemble("Crowded", targetName);
        Assert.Contains("no group fits", Assert.Single(code.Faults(kernel, target)));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void UnknownInstruction_IsRefusedWithItsLine(string targetName) =>
        Assert.Contains(
            "nonsense.f32 a, b;", Assert.Throws<FormatException>(() => Assemble("Nonsense", targetName)).Message);

    [Fact]
    public void InstructionOfHopper_IsAssembledForHopperAlone()
    {
        var (kernel, target, code) = Assemble("Hopper", "sm_90a");
        Assert.Empty(code.Faults(kernel, target));
        Assert.Contains(
            "-arch=sm_90 refuses the kernel",
            Assert.Throws<FormatException>(
                () => Ptxas.Tool!.Assemble(kernel.Ptx(CudaTarget.Sm90), CudaTarget.Sm90, disassemble: false)).Message);
    }

    /// <summary>What ptxas prints where one wgmma has to wait for another.</summary>
    [Fact]
    public void LostSpeed_IsAFaultOfAHotKernel()
    {
        const string log =
            """
            ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient register resources
            ptxas info    : Function properties for Kernel
                0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
            ptxas info    : Used 90 registers, used 1 barriers, 1024 bytes smem
            """;
        var kernel = SampleKernels.Named("Hopper");
        var code = MachineCode.Parse(log, 0);
        Assert.Contains("serialized", Assert.Single(code.Faults(kernel, CudaTarget.Sm90a)));
        Assert.Empty(code.Faults(Cold(kernel), CudaTarget.Sm90a));
    }

    [Fact]
    public void Parse_OfAnEmptyLog_IsRefused() =>
        Assert.Throws<FormatException>(() => MachineCode.Parse("ptxas info    : 0 bytes gmem", 0));

    private static (MarkedKernel Kernel, CudaTarget Target, MachineCode Code) Assemble(string name, string targetName)
    {
        Assert.SkipWhen(Ptxas.Tool is null, Ptxas.WhyNot);
        var kernel = SampleKernels.Named(name);
        var target = kernel.Targets.Single(target => target.Name == targetName);
        return (kernel, target, Ptxas.Tool.Assemble(kernel.Ptx(target), target, kernel.Mark.Hot));
    }

    private static MarkedKernel Cold(MarkedKernel kernel) =>
        kernel with { Mark = new KernelAttribute(kernel.Mark.GroupSize) };
}
