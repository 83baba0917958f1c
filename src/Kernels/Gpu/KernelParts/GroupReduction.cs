using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Sums and maxima over threads of a group, through shared memory: warp intrinsics are not on every device. All threads
/// of the group must call them together. Always added in the same order.
/// </summary>
internal static class GroupReduction
{
    /// <summary>Threads of a group that calls these.</summary>
    public const int Threads = 256;

    /// <summary>
    /// Floats of shared memory that they need. Several reductions may use the same; for other use it is free after the
    /// next barrier.
    /// </summary>
    public const int SharedFloats = 2 * Threads;

    // Threads that take the first step in parallel, and values that are left for the second.
    private const int Parts = 16;

    /// <summary>
    /// The sum over each <paramref name="width"/> neighbouring threads, for all of these; the width is a power of two,
    /// at least 16.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(float value, ArrayView<float> shared, int width)
    {
        int thread = Group.IdxX, first = thread & -width;
        shared[thread] = value;
        Group.Barrier();
        float part = 0;
        for (int i = thread % Parts; i < width; i += Parts)
            part += shared[first + i];

        // The parts lie in the other half, which all have read by now if they reduced before.
        shared[Threads + thread] = part;
        Group.Barrier();
        float sum = 0;
        for (int i = Threads + first; i < Threads + first + Parts; i += 4)
        {
            // four loads that do not wait for one another
            sum += (shared[i] + shared[i + 1]) + (shared[i + 2] + shared[i + 3]);
        }

        return sum;
    }

    /// <summary>
    /// The largest value of each <paramref name="width"/> neighbouring threads, for all of these; see
    /// <see cref="Sum"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float value, ArrayView<float> shared, int width)
    {
        int thread = Group.IdxX, first = thread & -width;
        shared[thread] = value;
        Group.Barrier();
        float part = float.NegativeInfinity;
        for (int i = thread % Parts; i < width; i += Parts)
            part = XMath.Max(part, shared[first + i]);

        shared[Threads + thread] = part;
        Group.Barrier();
        float max = float.NegativeInfinity;
        for (int i = Threads + first; i < Threads + first + Parts; i += 4)
        {
            max = XMath.Max(
                max, XMath.Max(XMath.Max(shared[i], shared[i + 1]), XMath.Max(shared[i + 2], shared[i + 3])));
        }

        return max;
    }
}
