using TinyLlm.Kernels;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Kernels.Gpu;

namespace TinyLlm.Tests.Support;

/// <summary>
/// A device that the op tests run on. A new backend adds one of these and a list of classes such as CpuOpTests.cs.
/// </summary>
public interface IDevice
{
    static abstract Backend Create();
}

/// <summary>
/// The CPU with 16-wide vectors, in software where the hardware has none, and threads that share the items.
/// </summary>
public sealed class Cpu512 : IDevice
{
    public static Backend Create() => CpuBackend.Create(threads: 3, vectorBits: 512);
}

/// <summary>The CPU with 8-wide vectors on the caller's thread alone.</summary>
public sealed class Cpu256 : IDevice
{
    public static Backend Create() => CpuBackend.Create(threads: 1, vectorBits: 256);
}

/// <summary>The CPU with 8-wide vectors and more threads than most of the tests have items.</summary>
public sealed class Cpu256Threads3 : IDevice
{
    public static Backend Create() => CpuBackend.Create(threads: 3, vectorBits: 256);
}

/// <summary>The CPU with 4-wide vectors.</summary>
public sealed class Cpu128 : IDevice
{
    public static Backend Create() => CpuBackend.Create(threads: 1, vectorBits: 128);
}

/// <summary>The CPU without vectors.</summary>
public sealed class CpuScalar : IDevice
{
    public static Backend Create() => CpuBackend.Create(threads: 3, vectorBits: 32);
}

/// <summary>GPU kernels on ILGPU's simulator.</summary>
public sealed class Simulated : IDevice
{
    public static Backend Create() => new GpuBackend(GpuDevice.Simulated);
}

/// <summary>The same, with room for a few rows of logits at a time.</summary>
public sealed class SimulatedInChunks : IDevice
{
    public static Backend Create() => new GpuBackend(GpuDevice.Simulated) { LogitsBytes = 2048 };
}
