using ILGPU;

namespace TinyLlm.Kernels.Gpu;

/// <summary>How kernels that work on whole rows cut their work: short rows have 32 threads each, so that a group does several, and long ones a group each.</summary>
internal sealed partial class GpuBackend
{
    private const int LongestShortRow = 1024;

    private static int ThreadsPerRow(int c) => c <= LongestShortRow ? 32 : GroupSize;

    /// <summary>Groups that have <see cref="ThreadsPerRow"/> threads for each row.</summary>
    private static KernelConfig EachRow(int rows, int c) => new(Items(rows, GroupSize / ThreadsPerRow(c)), GroupSize);
}
