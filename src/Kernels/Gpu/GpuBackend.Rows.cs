using ILGPU;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// How kernels that work on whole rows cut their work: short rows have 16 or 32 threads each, so that a group does
/// several, and long ones a group each.
/// </summary>
internal sealed partial class GpuBackend
{
    private const int LongestShortRow = 1024, FewestThreadsOfRow = 16, ThreadsOfShortRow = 32;

    /// <summary>The threads that a row has.</summary>
    private static Lanes ThreadsOfRow(int c) =>
        Lanes.AtLeast(
            c > LongestShortRow ? GroupSize : c > 4 * FewestThreadsOfRow ? ThreadsOfShortRow : FewestThreadsOfRow);

    /// <summary>Groups that have <see cref="ThreadsOfRow"/> threads for each row.</summary>
    private static KernelConfig EachRow(int rows, int c) => new(Items(rows, ThreadsOfRow(c).Lines), GroupSize);
}
