using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// What the threads of a group work out together, through shared memory: warp intrinsics are not on every device.
/// </summary>
internal sealed partial class GpuBackend
{
    /// <summary>
    /// The sum of the values of a group's <see cref="GroupSize"/> threads, for all of them; always added in the same
    /// order. <paramref name="tree"/> is shared memory for as many floats, free for other use afterwards.
    /// </summary>
    private static float SumOfGroup(float value, ArrayView<float> tree)
    {
        int thread = Group.IdxX;
        tree[thread] = value;
        for (int half = GroupSize / 2; half > 0; half /= 2)
        {
            Group.Barrier();
            if (thread < half)
                tree[thread] += tree[thread + half];
        }

        Group.Barrier();
        float sum = tree[0];
        Group.Barrier(); // all have read it before the memory is used again
        return sum;
    }

    /// <summary>
    /// The largest of the values of a group's <see cref="GroupSize"/> threads, for all of them; see
    /// <see cref="SumOfGroup"/>.
    /// </summary>
    private static float MaxOfGroup(float value, ArrayView<float> tree)
    {
        int thread = Group.IdxX;
        tree[thread] = value;
        for (int half = GroupSize / 2; half > 0; half /= 2)
        {
            Group.Barrier();
            if (thread < half)
                tree[thread] = XMath.Max(tree[thread], tree[thread + half]);
        }

        Group.Barrier();
        float max = tree[0];
        Group.Barrier(); // all have read it before the memory is used again
        return max;
    }
}
