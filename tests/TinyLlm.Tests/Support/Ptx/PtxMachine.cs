using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace TinyLlm.Tests.Support.Ptx;

/// <summary>A view of global memory, in the form in which ILGPU passes an ArrayView.</summary>
internal readonly record struct PtxView(ulong Address, long Length);

/// <summary>
/// Runs a module's kernels as the PTX ISA describes them, with memory of its own. What the ISA leaves open is decided
/// against the kernel: shared memory and registers start as NaN, asynchronous work happens as late as it may, threads
/// run apart where nothing keeps them together.
/// </summary>
internal sealed class PtxMachine : IDisposable
{
    /// <summary>What a block may have of shared memory on a card of capability 9.0.</summary>
    private const int MaxSharedBytes = 227 * 1024;
    private const int MaxStaticSharedBytes = 48 * 1024;

    private readonly PtxModule module;
    private readonly PtxMemory memory = new();

    public PtxMachine(PtxModule module)
    {
        this.module = module;
        byte[] globals = module.Globals;
        globals.CopyTo(memory.Bytes(memory.Allocate(globals.Length), globals.Length));
    }

    /// <summary>Instructions run by all launches.</summary>
    public long Instructions { get; private set; }

    /// <summary>How many instructions a thread may run before the launch fails as one that never ends.</summary>
    public long InstructionLimit { get; set; } = 1L << 30;

    /// <summary>Whether accesses to shared memory that nothing orders are errors, and not only wrong results.</summary>
    public bool WatchesSharedMemory { get; set; } = true;

    /// <summary>Threads of the host that run blocks; 1 runs them in order.</summary>
    public int Parallelism { get; set; } = Environment.ProcessorCount;

    /// <summary>Memory that holds 0xFF bytes: NaN.</summary>
    public ulong Allocate(long bytes) => memory.Allocate(bytes);

    public ulong Upload<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        ulong address = memory.Allocate((long)values.Length * Unsafe.SizeOf<T>());
        Write(address, values);
        return address;
    }

    public void Write<T>(ulong address, ReadOnlySpan<T> values) where T : unmanaged =>
        MemoryMarshal.AsBytes(values).CopyTo(memory.Bytes(address, (long)values.Length * Unsafe.SizeOf<T>()));

    public T[] Download<T>(ulong address, long count) where T : unmanaged =>
        MemoryMarshal.Cast<byte, T>(memory.Bytes(address, count * Unsafe.SizeOf<T>())).ToArray();

    /// <summary>Uploads values as the ArrayView parameter of an ILGPU kernel.</summary>
    public PtxView View<T>(ReadOnlySpan<T> values) where T : unmanaged => new(Upload(values), values.Length);

    public T[] Download<T>(PtxView view) where T : unmanaged => Download<T>(view.Address, view.Length);

    /// <summary>Runs the only entry of the module.</summary>
    /// <param name="arguments">One a parameter: numbers, bool, <see cref="PtxView"/>, any other unmanaged struct with
    /// the parameter's layout, or its bytes.</param>
    public void Launch(PtxDim grid, PtxDim block, int dynamicSharedBytes, params object[] arguments) =>
        Launch(null, grid, block, dynamicSharedBytes, arguments);

    public void Launch(string? name, PtxDim grid, PtxDim block, int dynamicSharedBytes, params object[] arguments)
    {
        PtxFunction entry = module.Entry(name);
        if (block.Count is < 1 or > 1024 || block.Z > 64 || grid.Count < 1 || grid.Y > 65535 || grid.Z > 65535)
            throw new PtxException($"{entry.Name}: a grid of {grid} blocks of {block} threads cannot be launched.");
        int fixedBytes = module.SharedEnd - PtxModule.FirstShared;
        if (fixedBytes > MaxStaticSharedBytes
            || module.DynamicShared + dynamicSharedBytes - PtxModule.FirstShared > MaxSharedBytes)
        {
            throw new PtxException($"{entry.Name}: {fixedBytes} bytes of fixed and {dynamicSharedBytes} of dynamic "
                + "shared memory are too many.");
        }

        var launch =
            new PtxLaunch(module, entry, grid, block, dynamicSharedBytes, ParameterBytes(entry, arguments), memory)
            {
                InstructionLimit = InstructionLimit,
                WatchesSharedMemory = WatchesSharedMemory,
            };
        Run(launch);
    }

    private void Run(PtxLaunch launch)
    {
        long next = -1, blocks = launch.Grid.Count;
        int workers = (int)Math.Min(Parallelism, blocks);
        ExceptionDispatchInfo? failure = null;
        var counts = new long[workers];
        Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, worker =>
        {
            using var block = new PtxBlock(launch);
            try
            {
                for (long b = Interlocked.Increment(ref next); b < blocks
                    && failure is null; b = Interlocked.Increment(ref next))
                    block.Run(launch.Grid.At(b));
            }
            catch (PtxException e)
            {
                Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
            }
            counts[worker] = block.Instructions;
        });
        Instructions += counts.Sum();
        failure?.Throw();
    }

    private static byte[] ParameterBytes(PtxFunction entry, object[] arguments)
    {
        if (arguments.Length != entry.Parameters.Count)
        {
            throw new PtxException(
                $"{entry.Name}: {arguments.Length} arguments for {entry.Parameters.Count} parameters.");
        }

        var bytes = GC.AllocateArray<byte>(entry.EntryParameterBytes, pinned: true);
        for (int i = 0; i < arguments.Length; i++)
        {
            PtxVariable parameter = entry.Parameters[i];
            byte[] argument = Bytes(arguments[i]);
            if (argument.Length != parameter.Bytes)
            {
                throw new PtxException($"{entry.Name}: argument {i} has {argument.Length} bytes "
                    + $"({arguments[i].GetType().Name}), and {parameter.Name} {parameter.Bytes}.");
            }

            argument.CopyTo(bytes, parameter.Offset);
        }
        return bytes;
    }

    /// <summary>A value as it lies in memory. ILGPU passes a bool as 32 bits.</summary>
    private static byte[] Bytes(object argument) => argument switch
    {
        byte[] bytes => bytes,
        bool flag => BitConverter.GetBytes(flag ? 1 : 0),
        _ => (byte[])typeof(PtxMachine)
        .GetMethod(nameof(StructBytes), BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(
            argument.GetType()).Invoke(null, [argument])!,
    };

    private static byte[] StructBytes<T>(T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    public void Dispose() => memory.Dispose();
}
