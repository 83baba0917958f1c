using TinyLlm.Kernels.Gpu;
using Xunit;

namespace TinyLlm.Tests.Support.Cuda;

public sealed class MarkedKernelTests
{
    [Fact]
    public void FindAll_ClosesGenericKernelsOverEveryElementType() => Assert.Equal(
        [
            "SampleKernels.Crowded", "SampleKernels.Fine<BFloat16, BFloat16>", "SampleKernels.Fine<BFloat16, Float32>",
                "SampleKernels.Fine<Float32, BFloat16>",
            "SampleKernels.Fine<Float32, Float32>", "SampleKernels.Hopper", "SampleKernels.Local",
            "SampleKernels.Nonsense", "SampleKernels.Spilling",
        ],
        SampleKernels.All.Select(kernel => kernel.ToString()));

    [Theory]
    [InlineData(typeof(InstanceKernel))]
    [InlineData(typeof(KernelOfGenericType<>))]
    [InlineData(typeof(UnconstrainedKernel))]
    public void FindAll_RefusesWhatWouldStayUnchecked(Type type) =>
        Assert.Throws<NotSupportedException>(() => MarkedKernel.FindAll([type]));

    /// <summary>
    /// ILGPU numbers names through all that it compiles; what is kept by a text's hash needs the same text each time.
    /// </summary>
    [Fact]
    public void Ptx_DoesNotDependOnWhatWasCompiledBefore()
    {
        string first = SampleKernels.Named("Local").Ptx(CudaTarget.Sm80),
            second = SampleKernels.Named("Local").Ptx(CudaTarget.Sm90);
        Assert.Equal(first, second);
        Assert.Contains("\tL_", first);
    }

    [Fact]
    public void Ptx_NamesItsTarget()
    {
        Assert.Contains("\n.target sm_80\n", SampleKernels.Named("Fine<Float32, Float32>").Ptx(CudaTarget.Sm80));
        Assert.Contains("\n.target sm_90a\n", SampleKernels.Named("Hopper").Ptx(CudaTarget.Sm90a));
    }

    private sealed class InstanceKernel
    {
        [Kernel(32)]
        public void Run()
        {
        }
    }

    private static class KernelOfGenericType<T>
    {
        [Kernel(32)]
        public static void Run()
        {
        }
    }

    private static class UnconstrainedKernel
    {
        [Kernel(32)]
        public static void Run<T>() where T : unmanaged
        {
        }
    }
}
