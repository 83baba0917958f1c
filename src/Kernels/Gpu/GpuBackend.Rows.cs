using ILGPU;

namespace TinyLlm.Kernels.Gpu;

/// <summary>How kernels that work on whole rows cut their work: short rows have 32 threads each, so that a group does several, and long ones a group each.</summary>
internal sealed partial class GpuBackend
{
    private const int LongestShortRow = 1024;

    /// <summary>The threads that a row has.</summary>
    private static Lanes ThreadsOfRow(int c) => Lanes.AtLeast(c <= LongestShortRow ? 32 : GroupSize);

    /// <summary>Groups that have <see cref="ThreadsOfRow"/> threads for each row.</summary>
    private static KernelConfig EachRow(int rows, int c) => new(Items(rows, ThreadsOfRow(c).Lines), GroupSize);
}
