namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Marks a GPU kernel: a static method of plain loops that ILGPU compiles. Tests find kernels by it, compile each
/// offline for CUDA, with every element type where it is generic, and judge the machine code.
/// </summary>
/// <param name="groupSize">Threads of a group, as the kernel is launched: what registers and occupancy are counted
/// for.</param>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class KernelAttribute(int groupSize) : Attribute
{
    /// <summary>Threads of a group.</summary>
    public int GroupSize { get; } = groupSize;

    /// <summary>Bytes of dynamic shared memory of a group, beside what the kernel declares itself.</summary>
    public int DynamicSharedBytes { get; init; }

    /// <summary>Whether much of a step's time is spent here: such a kernel must not touch local memory.</summary>
    public bool Hot { get; init; }

    /// <summary>
    /// The lowest compute capability whose instructions it uses (80, 90); 0 for a portable kernel, which runs on every
    /// device.
    /// </summary>
    public int ComputeCapability { get; init; }
}
