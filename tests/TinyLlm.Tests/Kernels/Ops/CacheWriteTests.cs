using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class CacheWriteTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    /// <summary>
    /// Keys are heads of a stacked projection, the cache is one layer of many, each row has another length.
    /// </summary>
    [Theory]
    [InlineData(1, 1, 1, 1, 2)]
    [InlineData(3, 1, 9, 2, 8)]
    [InlineData(3, 5, 9, 3, 7)]
    [InlineData(2, 100, 200, 2, 65)]
    public void WritesBehindWhatEachRowHolds(int b, int t, int tmax, int heads, int d)
    {
        var offsets = Enumerable.Range(0, b).Select(i => Math.Min(i * 2, tmax - t)).ToArray();
        TestTensor x = Random((b, t, heads * 3, d)).Slice(2, heads, heads), lengths = Integers(b, offsets);
        TestTensor cache = Random((b, tmax + 2, heads + 1, d)).Slice(1, 1, tmax).Slice(2, 0, heads);
        float[] expected = cache.Floats(), source = x.Floats();
        for (int row = 0; row < b; row++)
            Array.Copy(source, row * t * heads * d, expected, (row * tmax + offsets[row]) * heads * d, t * heads * d);

        Run(() => Backend.CacheWrite(x, lengths, cache), cache);
        Compare.SameBits("cache", expected, cache.Floats());
    }
}
