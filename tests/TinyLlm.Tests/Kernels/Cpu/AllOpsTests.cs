using TinyLlm.Kernels;
using TinyLlm.Kernels.Cpu;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Cpu;

/// <summary>What holds of every op on the CPU alike.</summary>
public sealed class AllOpsTests
{
    /// <summary>Work is cut by shape alone: one thread and many give the same bits.</summary>
    [Theory]
    [InlineData(512)]
    [InlineData(256)]
    [InlineData(128)]
    [InlineData(32)]
    public void Threads_ChangeNoBit(int vectorBits)
    {
        var expected = Outputs(1, vectorBits);
        foreach (int threads in (int[])[2, 3, 5])
        {
            var actual = Outputs(threads, vectorBits);
            foreach (string name in expected.Keys)
                Compare.SameBits($"{name} with {threads} threads", expected[name], actual[name]);
        }
    }

    /// <summary>
    /// An op that draws its bits from what its scratch memory held before would differ the second time.
    /// </summary>
    [Fact]
    public void Repetition_ChangesNoBit()
    {
        using var backend = CpuBackend.Create(threads: 3);
        using var calls = new OpCalls(backend);
        var first = Outputs(backend, calls);
        calls.Reset();
        var second = Outputs(backend, calls);
        foreach (string name in first.Keys)
            Compare.SameBits(name, first[name], second[name]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Op_AllocatesNothingAfterTheFirstCall(int threads)
    {
        using var backend = CpuBackend.Create(threads);
        using var calls = new OpCalls(backend);
        Assert.Equal([], calls.All.Where(call => LeastAllocated(call.Run) != 0).Select(call => call.Name));
    }

    // The runtime itself allocates the record of a lock when two threads first meet at it: one call of ten is clean if
    // all are.
    private static long LeastAllocated(Action run)
    {
        run();
        long least = long.MaxValue;
        for (int i = 0; i < 10 && least != 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }

    private static Dictionary<string, float[]> Outputs(int threads, int vectorBits)
    {
        using var backend = CpuBackend.Create(threads, vectorBits);
        using var calls = new OpCalls(backend);
        return Outputs(backend, calls);
    }

    private static Dictionary<string, float[]> Outputs(Backend backend, OpCalls calls) =>
        calls.All.ToDictionary(call => call.Name, call =>
    {
        call.Run();
        return call.Outputs.SelectMany(tensor =>
        {
            var values = new float[tensor.Count];
            backend.Read(tensor, values);
            Assert.True(values.All(float.IsFinite), call.Name);
            return values;
        }).ToArray();
    });
}
