using TinyLlm.Kernels.Cpu;
using Xunit;

namespace TinyLlm.Tests.Kernels.Cpu;

public sealed unsafe class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(33)]
    public void Run_DoesEachItemOnce(int threads)
    {
        using var pool = new WorkerPool(threads);
        foreach (int items in (int[])[0, 1, 2, 3, 7, 64, 1000])
        {
            var counts = new int[items + 1];
            fixed (int* p = counts)
                pool.Run(new CountKernel(p), items);
            Assert.All(counts[..items], c => Assert.Equal(1, c));
            Assert.Equal(0, counts[items]);
        }
    }

    /// <summary>
    /// Many tiny runs, some at once and some after a pause in which the workers fall asleep: with more threads than
    /// cores a wake-up that gets lost, or is taken by another worker, hangs this test.
    /// </summary>
    [Theory]
    [InlineData(2, 5000)]
    [InlineData(3, 1000)]
    [InlineData(7, 300)]
    public void Run_ManyTinyOnes(int threads, int runs)
    {
        using var pool = new WorkerPool(threads);
        var counts = new int[5];
        fixed (int* p = counts)
        {
            for (int run = 0; run < runs; run++)
            {
                pool.Run(new CountKernel(p), counts.Length);
                if (run % 100 == 0)
                    Thread.Sleep(run % 3);
            }
        }

        Assert.All(counts, c => Assert.Equal(runs, c));
    }

    /// <summary>A thread's number names its scratch memory: no two threads may have the same at a time.</summary>
    [Fact]
    public void Run_GivesEachThreadItsOwnNumber()
    {
        const int threads = 5;
        using var pool = new WorkerPool(threads);
        var busy = new int[threads];
        int clashes = 0, outside = 0;
        fixed (int* p = busy)
        {
            for (int run = 0; run < 200; run++)
                pool.Run(new ThreadKernel(p, threads, &clashes, &outside), 50);
        }

        Assert.Equal(0, clashes);
        Assert.Equal(0, outside);
    }

    [Fact]
    public void Run_AllocatesNothing()
    {
        using var pool = new WorkerPool(3);
        var counts = new int[100];
        fixed (int* p = counts)
        {
            // The runtime allocates the record of a lock when two threads first meet at it; after that nothing may
            // come.
            long least = long.MaxValue;
            for (int attempt = 0; attempt < 10; attempt++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int run = 0; run < 100; run++)
                    pool.Run(new CountKernel(p), counts.Length);
                least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            }

            Assert.Equal(0, least);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Dispose_EndsThreadsThatNeverWorked(int threads)
    {
        for (int i = 0; i < 50; i++)
            new WorkerPool(threads).Dispose();
    }

    private readonly struct CountKernel(int* counts) : IKernel
    {
        public void Run(int item, int thread) => Interlocked.Increment(ref counts[item]);
    }

    private readonly struct ThreadKernel(int* busy, int threads, int* clashes, int* outside) : IKernel
    {
        public void Run(int item, int thread)
        {
            if ((uint)thread >= (uint)threads)
            {
                Interlocked.Increment(ref *outside);
                return;
            }

            if (Interlocked.Exchange(ref busy[thread], 1) != 0)
                Interlocked.Increment(ref *clashes);
            Thread.SpinWait(20);
            Volatile.Write(ref busy[thread], 0);
        }
    }
}
