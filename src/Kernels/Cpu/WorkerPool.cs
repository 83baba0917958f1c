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
/// <remarks>
/// The caller waits for items, not for workers: where another process holds a worker's core, the others do its share, and a worker that wakes
/// up late finds either nothing to do or items of the next kernel.
/// </remarks>
internal sealed unsafe class WorkerPool : IDisposable
{
    /// <summary>Most items of a kernel.</summary>
    public const int MaxItems = (1 << ItemBits) - (1 << 12);

    // Some 300 microseconds: longer than the gap between two ops, shorter than anyone would notice on a battery.
    private const int SpinsBeforeSleep = 8000;

    // A ticket has, from the top: generation (16 bits), number of items (24), next item (24). Taking the next item is one addition, and what comes
    // back says by itself whether there was one: an item of a generation is valid exactly if it is less than that generation's number.
    private const int ItemBits = 24;

    private readonly Thread[] workers;
    private readonly object gate = new(); // sleepers wait on it

    private delegate*<void*, int, int, void> invoke;
    private void* kernel;

    // Every field that two threads change has a cache line of its own.
    private PaddedLong ticket;
    private PaddedLong done;     // items of this generation that are finished
    private PaddedLong sleeping; // workers that wait at the gate
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

        if (count > MaxItems)
            throw new ArgumentException($"WorkerPool: {count} items; at most {MaxItems} can be handed out.", nameof(count));

        // The kernel stays on the caller's stack, which outlives the call because this method waits for every item.
        this.kernel = Unsafe.AsPointer(ref Unsafe.AsRef(in kernel));
        invoke = &Invoke<K>;
        done.Value = 0;
        Publish(count);
        TakeItems(0);
        for (int spins = 0; Volatile.Read(ref done.Value) != count; spins++)
        {
            // After this long another process probably holds the core of a worker in the middle of its item: give it this one.
            if (spins > SpinsBeforeSleep)
                Thread.Yield();
            Thread.SpinWait(1);
        }
    }

    public void Dispose()
    {
        stopping = true;
        Publish(0);
        foreach (var worker in workers)
            worker.Join();
    }

    private static long GenerationOf(long ticket) => ticket >>> (2 * ItemBits);

    private static void Invoke<K>(void* kernel, int item, int thread) where K : struct, IKernel =>
        Unsafe.AsRef<K>(kernel).Run(item, thread);

    // Begins a generation. Everyone at the gate is woken: of counted permits a worker that is early again could take the one of a slow sleeper.
    private void Publish(int count)
    {
        long generation = GenerationOf(ticket.Value) + 1;
        Interlocked.Exchange(ref ticket.Value, generation << (2 * ItemBits) | (long)count << ItemBits);
        if (Volatile.Read(ref sleeping.Value) == 0)
            return;
        lock (gate)
            Monitor.PulseAll(gate);
    }

    // Takes items until there are none; returns the generation that had none left. Kernel and invoke belong to the item's generation: they change
    // only after all of its items are done.
    private long TakeItems(int thread)
    {
        const int mask = (1 << ItemBits) - 1;
        while (true)
        {
            long taken = Interlocked.Increment(ref ticket.Value) - 1;
            int item = (int)(taken & mask), count = (int)(taken >>> ItemBits & mask);
            if (item >= count)
                return GenerationOf(taken);
            invoke(kernel, item, thread);
            Interlocked.Increment(ref done.Value);
        }
    }

    private void Work(int thread)
    {
        long seen = 0;
        while (!stopping)
        {
            for (int spins = 0; GenerationOf(Volatile.Read(ref ticket.Value)) == seen; spins++)
            {
                Thread.SpinWait(1);
                if (spins < SpinsBeforeSleep)
                    continue;

                // Say "asleep" first, then look again: either this sees the new generation or Publish sees the sleeper.
                lock (gate)
                {
                    Interlocked.Increment(ref sleeping.Value);
                    while (GenerationOf(Volatile.Read(ref ticket.Value)) == seen)
                        Monitor.Wait(gate);
                    Interlocked.Decrement(ref sleeping.Value);
                }
            }

            seen = TakeItems(thread);
        }
    }

    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    private struct PaddedLong
    {
        [System.Runtime.InteropServices.FieldOffset(128)]
        public long Value;
    }
}
