using ILGPU;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>How kernels are launched: typed, compiled at the first call, without allocation after it.</summary>
internal sealed partial class GpuBackend
{
    /// <summary>Threads of a group where a kernel has no reason for another number.</summary>
    private const int GroupSize = 256;

    // Launchers by kernel. C# keeps one delegate for each method and element type, so looking one up allocates nothing.
    private readonly Dictionary<Delegate, Delegate> launchers = [];

    // Device memory that kernels of one op share, by slot: chunks of logits, partial sums. It grows during the first
    // step and not after, so that the addresses in a captured graph stay good.
    private readonly MemoryBuffer1D<byte, Stride1D.Dense>?[] scratch =
        new MemoryBuffer1D<byte, Stride1D.Dense>?[ScratchSlots];
    private const int ScratchPartials = 0, ScratchLogits = 1, ScratchRows = 2, ScratchFlags = 3, ScratchSlots = 4;

    /// <summary>Changes whenever scratch memory moves.</summary>
    public int ScratchVersion { get; private set; }

    /// <summary>
    /// Scratch memory of at least <paramref name="count"/> elements; its content is whatever the last kernel left.
    /// </summary>
    private ArrayView<T> Scratch<T>(int slot, long count) where T : unmanaged
    {
        long bytes = Math.Max(count, 1) * Interop.SizeOf<T>();
        if (scratch[slot] is not { } buffer || buffer.Length < bytes)
        {
            Free(scratch[slot]);
            scratch[slot] = null;
            scratch[slot] = buffer = AllocateZeroed(bytes, "scratch");
            ScratchVersion++;
        }

        return buffer.View.SubView(0, bytes).Cast<byte, T>().AsContiguous();
    }

    /// <summary>
    /// The elements of a tensor, from its first one on; a strided one's to the end of its storage's reach.
    /// </summary>
    private static ArrayView<T> View<T>(Tensor tensor)
        where T : unmanaged => ((GpuStorage)tensor.Storage).View<T>(tensor.Offset, Reach(tensor));

    /// <summary>The elements of a tensor, or an empty view where there is none: kernels ask for the length.</summary>
    private static ArrayView<T> View<T>(Tensor? tensor)
        where T : unmanaged => tensor is { } present ? View<T>(present) : ArrayView<T>.Empty;

    private static ArrayView<float> Floats(Tensor tensor) => View<float>(tensor);

    private static ArrayView<int> Integers(Tensor tensor) => View<int>(tensor);

    // Elements from the first one to the last, gaps included.
    private static long Reach(Tensor tensor)
    {
        long reach = 1;
        for (int i = 0; i < tensor.Shape.Rank; i++)
        {
            if (tensor.Shape[i] == 0)
                return 0;
            reach += (tensor.Shape[i] - 1L) * tensor.Stride(i);
        }

        return reach;
    }

    /// <summary>
    /// Groups of <see cref="GroupSize"/> threads that have one thread for each of <paramref name="count"/> elements.
    /// </summary>
    private static KernelConfig Each(long count) => new(Items(count, GroupSize), GroupSize);

    private static int Items(long count, int perItem) => checked((int)((count + perItem - 1) / perItem));

    private void Launch<T1, T2>(KernelConfig config, Action<T1, T2> kernel, T1 a1, T2 a2)
        where T1 : struct where T2 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2>)launcher)(stream, config, a1, a2);
    }

    private void Launch<T1, T2, T3>(KernelConfig config, Action<T1, T2, T3> kernel, T1 a1, T2 a2, T3 a3)
        where T1 : struct where T2 : struct where T3 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3>)launcher)(stream, config, a1, a2, a3);
    }

    private void Launch<T1, T2, T3, T4>(KernelConfig config, Action<T1, T2, T3, T4> kernel, T1 a1, T2 a2, T3 a3, T4 a4)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4>)launcher)(stream, config, a1, a2, a3, a4);
    }

    private void Launch<T1, T2, T3, T4, T5>(KernelConfig config, Action<T1, T2, T3, T4, T5> kernel, T1 a1, T2 a2, T3 a3,
        T4 a4, T5 a5)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5>)launcher)(stream, config, a1, a2, a3, a4, a5);
    }

    private void Launch<T1, T2, T3, T4, T5, T6>(KernelConfig config, Action<T1, T2, T3, T4, T5, T6> kernel, T1 a1,
        T2 a2, T3 a3, T4 a4, T5 a5, T6 a6)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6>)launcher)(stream, config, a1, a2, a3, a4, a5,
            a6);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7>(KernelConfig config, Action<T1, T2, T3, T4, T5, T6, T7> kernel,
        T1 a1, T2 a2, T3 a3, T4 a4, T5 a5, T6 a6, T7 a7)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct
            where T7 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7>)launcher)(stream, config, a1, a2, a3, a4,
            a5, a6, a7);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7,
        T8>(KernelConfig config, Action<T1, T2, T3, T4, T5, T6, T7, T8> kernel, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5,
            T6 a6, T7 a7, T8 a8)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct
            where T7 : struct where T8 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8>)launcher)(stream, config, a1, a2, a3,
            a4, a5, a6, a7, a8);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8,
        T9>(KernelConfig config, Action<T1, T2, T3, T4, T5, T6, T7, T8, T9> kernel, T1 a1, T2 a2, T3 a3, T4 a4, T5 a5,
            T6 a6, T7 a7, T8 a8, T9 a9)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct
            where T7 : struct where T8 : struct where T9 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9>)launcher)(stream, config, a1, a2,
            a3, a4, a5, a6, a7, a8, a9);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9,
        T10>(KernelConfig config, Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10> kernel, T1 a1, T2 a2, T3 a3, T4 a4,
            T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct
            where T7 : struct where T8 : struct where T9 : struct where T10 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10>)launcher)(stream, config, a1,
            a2, a3, a4, a5, a6, a7, a8, a9, a10);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10,
        T11>(KernelConfig config, Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11> kernel, T1 a1, T2 a2, T3 a3,
            T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct
            where T7 : struct where T8 : struct where T9 : struct where T10 : struct where T11 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>)launcher)(stream,
            config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
    }

    private void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11,
        T12>(KernelConfig config, Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12> kernel, T1 a1, T2 a2, T3 a3,
            T4 a4, T5 a5, T6 a6, T7 a7, T8 a8, T9 a9, T10 a10, T11 a11, T12 a12)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct
            where T7 : struct where T8 : struct where T9 : struct where T10 : struct where T11 : struct
                where T12 : struct
    {
        if (config.GridDim.Size == 0)
            return;
        if (!launchers.TryGetValue(kernel, out var launcher))
            launchers[kernel] = launcher = accelerator.LoadKernel(kernel);
        ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12>)launcher)(stream,
            config, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12);
    }

}
