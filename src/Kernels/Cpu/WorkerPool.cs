using System.Runtime.CompilerServices;

namespace TinyLlm.Kernels.Cpu;

/// <summary>
/// A CPU kernel: a struct that holds its arguments and runs one item (a row, a tile, a chunk) of its work at a time.
/// </summary>
internal interface IKernel
{
    /// <summary>
    /// Does item <paramref name="item"/>. <paramref name="thread"/> names the thread's scratch memory. What is written
    /// depends on the item alone, so the result has the same bits whichever thread runs it.
    /// </summary>
    void Run(int item, int thread);
}

/// <summary>
/// Threads that live as long as the backend. <see cref="Run{K}"/> hands out the items of a kernel and returns when all
/// are done; it allocates nothing.
/// </summary>
/// <remarks>
/// Each thread begins with a share of its own, the same part of the items in every kernel: what it wrote in one kernel
/// is in its cache when it reads it in the next. Who is done takes items of the others' shares. The caller waits for
/// items, not for workers: where another process holds a worker's core, the others do its share, and a worker that
/// wakes up late finds either nothing to do or items of the next kernel.
/// </remarks>
internal sealed unsafe class WorkerPool : IDisposable
{
    /// <summary>Most items of a kernel.</summary>
    public const int MaxItems = (1 << ItemBits) - (1 << 12);

    // Some 300 microseconds: longer than the gap between two ops, shorter than anyone would notice on a battery.
    private const int SpinsBeforeSleep = 8000;

    // A thread's ticket has, from the top: generation (16 bits), end of its share (24), next item (24). Taking the next
    // item is one addition, and what comes back says by itself whether there was one: an item of a generation is valid
    // exactly if it is less than that generation's end.
    private const int ItemBits = 24;

    private readonly Thread[] workers;
    private readonly object gate = new(); // sleepers wait on it

    private delegate*<void*, int, int, void> invoke;
    private void* kernel;

    // Every field that two threads change has a cache line of its own.
    private readonly PaddedLong[] tickets;
    private PaddedLong done;     // items of this generation that are finished
    private PaddedLong sleeping; // workers that wait at the gate
    private volatile bool stopping;

    public WorkerPool(int threads)
    {
        Threads = threads;
        tickets = new PaddedLong[threads];
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

    /// <summary>
    /// Runs items 0 to <paramref name="count"/> - 1, in no particular order, on all threads; the caller's is thread 0.
    /// </summary>
    public void Run<K>(in K kernel, int count) where K : struct, IKernel
    {
        if (count <= 1 || workers.Length == 0)
        {
            for (int i = 0; i < count; i++)
                Unsafe.AsRef(in kernel).Run(i, 0);
            return;
        }

        if (count > MaxItems)
        {
            throw new ArgumentException(
                $"WorkerPool: {count} items; at most {MaxItems} can be handed out.", nameof(count));
        }

        // The kernel stays on the caller's stack, which outlives the call because this method waits for every item.
        this.kernel = Unsafe.AsPointer(ref Unsafe.AsRef(in kernel));
        invoke = &Invoke<K>;
        done.Value = 0;
        Publish(count);
        TakeItems(0);
        for (int spins = 0; Volatile.Read(ref done.Value) != count; spins++)
        {
            // After this long another process probably holds the core of a worker in the middle of its item: give it
            // this one.
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

    // Begins a generation. Everyone at the gate is woken: of counted permits a worker that is early again could take
    // the one of a slow sleeper.
    private void Publish(int count)
    {
        long generation = GenerationOf(tickets[0].Value) + 1;
        for (int thread = tickets.Length - 1; thread >= 0; thread--)
        {
            long first = (long)count * thread / tickets.Length, end = (long)count * (thread + 1) / tickets.Length;
            Interlocked.Exchange(ref tickets[thread].Value, generation << (2 * ItemBits) | end << ItemBits | first);
        }

        if (Volatile.Read(ref sleeping.Value) == 0)
            return;
        lock (gate)
            Monitor.PulseAll(gate);
    }

    // Takes items of the thread's own share and then of the others' until there are none. Kernel and invoke belong to
    // the items' generation: they change only after all of its items are done.
    private void TakeItems(int thread)
    {
        const int mask = (1 << ItemBits) - 1;
        int finished = 0;
        for (int i = 0; i < tickets.Length; i++)
        {
            ref long ticket = ref tickets[(thread + i) % tickets.Length].Value;
            while (true)
            {
                long taken = Interlocked.Increment(ref ticket) - 1;
                int item = (int)(taken & mask), end = (int)(taken >>> ItemBits & mask);
                if (item >= end)
                    break;
                invoke(kernel, item, thread);
                finished++;
            }
        }

        if (finished > 0)
            Interlocked.Add(ref done.Value, finished);
    }

    private void Work(int thread)
    {
        long seen = 0;
        while (!stopping)
        {
            long generation;
            for (int spins = 0; (generation = GenerationOf(Volatile.Read(ref tickets[thread].Value))) == seen; spins++)
            {
                Thread.SpinWait(1);
                if (spins < SpinsBeforeSleep)
                    continue;

                // Say "asleep" first, then look again: either this sees the new generation or Publish sees the sleeper.
                lock (gate)
                {
                    Interlocked.Increment(ref sleeping.Value);
                    while (GenerationOf(Volatile.Read(ref tickets[thread].Value)) == seen)
                        Monitor.Wait(gate);
                    Interlocked.Decrement(ref sleeping.Value);
                }
            }

            seen = generation;
            TakeItems(thread);
        }
    }

    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    private struct PaddedLong
    {
        [System.Runtime.InteropServices.FieldOffset(128)]
        public long Value;
    }
}
