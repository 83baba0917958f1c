using System.Runtime.CompilerServices;

namespace TinyLlm.Kernels.Cpu;

/// <summary>A CPU kernel: a struct that holds its arguments and runs one item (a row, a tile, a chunk) of its work at a time.</summary>
internal interface IKernel
{
    /// <summary>
    /// Does item <paramref name="item"/>. <paramref name="thread"/> names the thread's scratch memory. What is written depends on the
    /// item alone, so the result has the same bits whichever thread runs it.
    /// </summary>
    void Run(int item, int thread);
}

/// <summary>
/// Threads that live as long as the backend. <see cref="Run{K}"/> hands out the items of a kernel one by one and returns when all are
/// done; it allocates nothing.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // About 50 microseconds: longer than the gap between two ops, shorter than anyone would notice on a battery.
    private const int SpinsBeforeSleep = 2000;

    private readonly Thread[] workers;
    private readonly object gate = new(); // sleepers wait on it

    private delegate*<void*, int, int, void> invoke;
    private void* kernel;
    private int items;

    // Every field that two threads change has a cache line of its own.
    private PaddedInt generation; // raised once per kernel, and once to stop
    private PaddedInt next;       // the next item to hand out
    private PaddedInt running;    // workers that have not finished this generation
    private PaddedInt sleeping;   // workers that wait at the gate
    private volatile bool stopping;

    public WorkerPool(int threads)
    {
        Threads = threads;
        workers = new Thread[threads - 1];
        for (int i = 0; i < workers.Length; i++)
        {
            int thread = i + 1;
            workers[i] = new Thread(() => Work(thread)) { IsBackground = true, Name = $"tinyllm-worker-{thread}" };
            workers[i].Start();
        }
    }

    /// <summary>How many threads work, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Runs items 0 to <paramref name="count"/> - 1, in no particular order, on all threads; the caller's is thread 0.</summary>
    public void Run<K>(in K kernel, int count) where K : struct, IKernel
    {
        if (count <= 1 || workers.Length == 0)
        {
            for (int i = 0; i < count; i++)
                Unsafe.AsRef(in kernel).Run(i, 0);
            return;
        }

        // The kernel stays on the caller's stack, which outlives the call because this method waits for every worker.
        this.kernel = Unsafe.AsPointer(ref Unsafe.AsRef(in kernel));
        invoke = &Invoke<K>;
        items = count;
        next.Value = 0;
        Volatile.Write(ref running.Value, workers.Length);
        Interlocked.Increment(ref generation.Value);
        if (Volatile.Read(ref sleeping.Value) > 0)
            WakeAll();

        TakeItems(0);
        for (int spins = 0; Volatile.Read(ref running.Value) != 0; spins++)
        {
            // After this long another process probably holds a worker's core: give it this one.
            if (spins > SpinsBeforeSleep)
                Thread.Yield();
            Thread.SpinWait(8);
        }
    }

    public void Dispose()
    {
        stopping = true;
        Interlocked.Increment(ref generation.Value);
        WakeAll();
        foreach (var worker in workers)
            worker.Join();
    }

    // Everyone at the gate, whoever it is: of counted permits a worker that is early again could take the one of a slow sleeper.
    private void WakeAll()
    {
        lock (gate)
            Monitor.PulseAll(gate);
    }

    private static void Invoke<K>(void* kernel, int item, int thread) where K : struct, IKernel =>
        Unsafe.AsRef<K>(kernel).Run(item, thread);

    private void TakeItems(int thread)
    {
        int item;
        while ((item = Interlocked.Increment(ref next.Value) - 1) < items)
            invoke(kernel, item, thread);
    }

    private void Work(int thread)
    {
        int seen = 0;
        while (true)
        {
            for (int spins = 0; Volatile.Read(ref generation.Value) == seen; spins++)
            {
                Thread.SpinWait(8);
                if (spins < SpinsBeforeSleep)
                    continue;

                // Say "asleep" first, then look again: either this sees the new generation or Run sees the sleeper.
                lock (gate)
                {
                    Interlocked.Increment(ref sleeping.Value);
                    while (Volatile.Read(ref generation.Value) == seen)
                        Monitor.Wait(gate);
                    Interlocked.Decrement(ref sleeping.Value);
                }
            }

            if (stopping)
                return;
            seen = Volatile.Read(ref generation.Value);
            TakeItems(thread);
            Interlocked.Decrement(ref running.Value);
        }
    }

    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    private struct PaddedInt
    {
        [System.Runtime.InteropServices.FieldOffset(128)]
        public int Value;
    }
}
