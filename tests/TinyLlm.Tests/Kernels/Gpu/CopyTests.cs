using System.Diagnostics;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>Copies between the host and a device.</summary>
public abstract class CopyTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    /// <summary>
    /// The garbage collector may move an array at any time, and a driver that reads or writes it does not notice.
    /// </summary>
    [Fact]
    public void ArraysMayMoveMeanwhile()
    {
        const int count = 20000;
        TestTensor x = Of(count, new float[count]);
        bool done = false;
        var collector = new Thread(() =>
        {
            while (!Volatile.Read(ref done))
                GC.Collect(0, GCCollectionMode.Forced, blocking: true, compacting: true);
        });
        collector.Start();
        try
        {
            var watch = Stopwatch.StartNew();
            for (int round = 0; watch.ElapsedMilliseconds < 2000; round++)
            {
                // The arrays are young, with garbage around them, so that a collection moves them; those of 85,000
                // bytes and more never move.
                float[] written = Amid<float>(count), read = Amid<float>(count);
                Array.Fill(written, round);
                Backend.Write(x, written);
                Backend.Read(x, read);
                Assert.Equal(-1, read.AsSpan().IndexOfAnyExcept(round));
            }
        }
        finally
        {
            Volatile.Write(ref done, true);
            collector.Join();
        }
    }

    [Fact]
    public void RowsCanBeFilledInPlace()
    {
        TestTensor x = Of((5, 3), Values.Floats(15));
        float[] expected = x.Floats();
        Backend.Write(x.Slice(0, 1, 3), rows =>
        {
            for (int i = 0; i < rows.Length; i++)
                rows[i] = i;
        });
        for (int i = 0; i < 9; i++)
            expected[3 + i] = i;
        Assert.Equal(expected, x.Floats());
    }

    private static T[] Amid<T>(int count)
    {
        _ = new T[count];
        var array = new T[count];
        _ = new T[count];
        return array;
    }
}
