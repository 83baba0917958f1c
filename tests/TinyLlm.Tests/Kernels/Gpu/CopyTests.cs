using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>Copies between the host and a device.</summary>
public abstract class CopyTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    /// <summary>The garbage collector may move an array at any time, and a driver that reads or writes it does not notice.</summary>
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
            for (int round = 0; round < 300; round++)
            {
                // The arrays are young, with garbage before them, so that each collection moves them; the larger ones of a test never move.
                _ = new byte[round % 7 * 1000];
                float[] written = new float[count], read = new float[count];
                Array.Fill(written, round);
                Backend.Write(x, written);
                Backend.Read(x, read);
                Assert.Equal(written, read);
            }
        }
        finally
        {
            Volatile.Write(ref done, true);
            collector.Join();
        }
    }
}
