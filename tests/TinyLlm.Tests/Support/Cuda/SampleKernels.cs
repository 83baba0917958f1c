using ILGPU;
using ILGPU.Runtime.Cuda;
using TinyLlm.Kernels.Gpu;

namespace TinyLlm.Tests.Support.Cuda;

/// <summary>
/// Kernels to show that the check of machine code can fail: one that it must pass, and some that it must not, each for
/// one reason.
/// </summary>
internal static class SampleKernels
{
    private const int GroupSize = 128;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<MarkedKernel> All { get; } = MarkedKernel.FindAll([typeof(SampleKernels)]);

    /// <summary>One of them, such as "Fine&lt;Float32, BFloat16&gt;".</summary>
    public static MarkedKernel Named(string name) =>
        All.Single(kernel => kernel.ToString() == $"{nameof(SampleKernels)}.{name}");

    /// <summary>
    /// Nothing is wrong with this one: y[i] of a group is the sum of two neighbours, through static and dynamic shared
    /// memory.
    /// </summary>
    [Kernel(GroupSize, DynamicSharedBytes = GroupSize * sizeof(float), Hot = true)]
    public static void Fine<TIn, TOut>(ArrayView<TIn> x, ArrayView<TOut> y) where TIn : unmanaged, IElement<TIn>
        where TOut : unmanaged, IElement<TOut>
    {
        var tile = SharedMemory.Allocate<float>(GroupSize);
        var sums = SharedMemory.GetDynamic<float>();
        int i = Group.IdxX;
        tile[i] = x[i].ToFloat();
        Group.Barrier();
        sums[i] = tile[i] + tile[(i + 1) % GroupSize];
        Group.Barrier();
        y[i] = default(TOut).From(sums[GroupSize - 1 - i]);
    }

    /// <summary>An array of a thread's own lies in local memory.</summary>
    [Kernel(GroupSize, Hot = true)]
    public static void Local(ArrayView<float> x, int n)
    {
        var window = LocalMemory.Allocate<float>(16);
        for (int i = 0; i < 16; i++)
            window[i] = x[i];
        x[n] = window[n];
    }

    /// <summary>320 numbers of each thread are alive across the barrier; a thread has at most 255 registers.</summary>
    [Kernel(GroupSize)]
    public static void Spilling(ArrayView<Numbers320> x)
    {
        var numbers = x[Group.IdxX];
        Group.Barrier();
        x[Group.IdxX + 1] = numbers;
    }

    /// <summary>80 numbers of each of 1,024 threads: more than the 65,536 registers that there are.</summary>
    [Kernel(1024)]
    public static void Crowded(ArrayView<Numbers80> x)
    {
        var numbers = x[Group.IdxX];
        Group.Barrier();
        x[Group.IdxX + 1] = numbers;
    }

    /// <summary>No assembler knows this instruction.</summary>
    [Kernel(GroupSize, ComputeCapability = 80)]
    public static void Nonsense(ArrayView<float> x)
    {
        CudaAsm.Emit("nonsense.f32 a, b;");
        x[Group.IdxX] = 0;
    }

    /// <summary>An instruction that only sm_90a has.</summary>
    [Kernel(GroupSize, ComputeCapability = 90, Hot = true)]
    public static void Hopper(ArrayView<float> x)
    {
        CudaAsm.Emit("wgmma.fence.sync.aligned;");
        x[Group.IdxX] = 0;
    }

    public record struct Numbers4(float A, float B, float C, float D);

    public record struct Numbers16(Numbers4 A, Numbers4 B, Numbers4 C, Numbers4 D);

    public record struct Numbers80(Numbers16 A, Numbers16 B, Numbers16 C, Numbers16 D, Numbers16 E);

    public record struct Numbers320(Numbers80 A, Numbers80 B, Numbers80 C, Numbers80 D);
}
