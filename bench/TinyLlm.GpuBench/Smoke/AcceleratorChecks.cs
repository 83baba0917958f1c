using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using TinyLlm.Kernels.Gpu;

namespace TinyLlm.GpuBench.Smoke;

/// <summary>
/// Checks of what lies below the backend: ILGPU and the driver. Each returns what it saw, or null where the device has
/// no such thing.
/// </summary>
internal static class AcceleratorChecks
{
    /// <summary>A kernel in plain C#.</summary>
    public static string? OrdinaryKernel(string device) => device == "cpu" ? null : On(device, accelerator =>
    {
        const int count = 1000, group = 128;
        using var y = accelerator.Allocate1D<int>(count);
        var kernel = accelerator.LoadKernel<ArrayView<int>>(SmokeKernels.Line);
        kernel(accelerator.DefaultStream, new KernelConfig((count + group - 1) / group, group), y.View);
        Expect(y, i => 3 * i + 1);
        return $"{count} elements right";
    });

    /// <summary>mma.sync through inline PTX.</summary>
    public static string? TensorCores(string device) => OnCuda(device, 8, cuda =>
        Multiply(cuda, nameof(SmokeKernels.MultiplyByWarp), rows: 16));

    /// <summary>wgmma, which needs another target in the PTX than ILGPU writes.</summary>
    public static string? WarpgroupTensorCores(string device) => OnCuda(device, 9, cuda =>
        Multiply(cuda, nameof(SmokeKernels.MultiplyByWarpgroup), SmokeKernels.Rows));

    /// <summary>More dynamic shared memory than a kernel gets unasked.</summary>
    public static string? DynamicSharedMemory(string device) => OnCuda(device, 8, cuda =>
    {
        const int count = SmokeKernels.SharedBytes / sizeof(int);
        using var to = cuda.Allocate1D<int>(count);
        Launch(cuda, nameof(SmokeKernels.Reverse), to.NativePtr);
        Expect(to, i => 7 * (count - 1 - i));
        return $"{SmokeKernels.SharedBytes >> 10} KB";
    });

    // Small whole numbers, so that the sums are exact in any order.
    private static string Multiply(CudaAccelerator cuda, string kernel, int rows)
    {
        const int columns = SmokeKernels.Columns, depth = SmokeKernels.Depth;
        int[] a = [.. Enumerable.Range(0, rows * depth).Select(i => i * 7 % 17 - 8)],
            b = [.. Enumerable.Range(0, columns * depth).Select(i => i * 5 % 13 - 6)];
        using var bufferA = cuda.Allocate1D(Bf16(a));
        using var bufferB = cuda.Allocate1D(Bf16(b));
        using var c = cuda.Allocate1D<float>(rows * columns);
        Launch(cuda, kernel, bufferA.NativePtr, bufferB.NativePtr, c.NativePtr);
        Expect(c, i => Enumerable.Range(0, depth).Sum(k => a[i / columns * depth + k] * b[i % columns * depth + k]));
        return $"({rows}, {columns}, {depth}) right";
    }

    private static ushort[] Bf16(int[] values) =>
        [.. values.Select(v => BFloat16.RoundToBits(BitConverter.SingleToUInt32Bits(v)))];

    private static void Launch(CudaAccelerator cuda, string kernel, params long[] arguments)
    {
        cuda.Bind();
        using var function =
            new CudaFunction(cuda, typeof(SmokeKernels).GetMethod(kernel, BindingFlags.Public | BindingFlags.Static)!);
        using var stream = (CudaStream)cuda.CreateStream();
        function.Launch(stream, 1, 1, arguments);
        stream.Synchronize();
    }

    private static void Expect<T>(MemoryBuffer1D<T, Stride1D.Dense> buffer, Func<int, T> expected)
        where T : unmanaged, IEquatable<T>
    {
        T[] values = buffer.GetAsArray1D();
        for (int i = 0; i < values.Length; i++)
        {
            if (!values[i].Equals(expected(i)))
                throw new InvalidOperationException($"element {i} is {values[i]}; expected {expected(i)}");
        }
    }

    private static string? OnCuda(string device, int capability, Func<CudaAccelerator, string> check) =>
        device != "cuda" ? null : On(device, accelerator =>
            accelerator is CudaAccelerator cuda && cuda.Architecture.Major >= capability ? check(cuda) : null);

    private static string? On(string device, Func<Accelerator, string?> check)
    {
        var (context, accelerator) = GpuDevice.Choose(device).Open();
        using (context)
        using (accelerator)
            return check(accelerator);
    }
}
