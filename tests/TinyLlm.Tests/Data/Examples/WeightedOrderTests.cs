using TinyLlm.Data;
using Xunit;

namespace TinyLlm.Tests.Data;

public class WeightedOrderTests
{
    [Fact]
    public void SharesFollowTheWeights_AndEachSourceIsVisitedOnceAnEpoch()
    {
        long[] counts = [700, 90, 2_000];
        double[] weights = [1, 3, 4];
        var order = new WeightedOrder(counts, weights, seed: 5);
        var seen = new Dictionary<(int Source, long Epoch), HashSet<long>>();
        var draws = new int[3];
        const int Total = 4 * WeightedOrder.BlockLength;
        for (long position = 0; position < Total; position++)
        {
            var (epoch, index) = order.At(position);
            int source = index < 700 ? 0 : index < 790 ? 1 : 2;
            draws[source]++;
            seen.TryAdd((source, epoch), []);
            Assert.True(seen[(source, epoch)].Add(index), $"source {source}, epoch {epoch}: {index} came twice");
        }

        Assert.Equal([Total / 8, 3 * Total / 8, Total / 2], draws);
        foreach (var ((source, epoch), indices) in seen)
        {
            // All but the last two epochs, which the end of the last block cuts.
            if (epoch + 2 < draws[source] / counts[source])
                Assert.Equal(counts[source], indices.Count);
        }
    }

    [Fact]
    public void APlace_IsTheSame_WhereverOneBegins()
    {
        var order = new WeightedOrder([50, 60], [0.3, 0.7], seed: 9);
        var all = Enumerable.Range(0, 25_000).Select(i => order.At(i)).ToArray();
        var random = new Random(2);
        for (int i = 0; i < 100; i++)
        {
            int place = random.Next(all.Length);
            Assert.Equal(all[place], new WeightedOrder([50, 60], [0.3, 0.7], seed: 9).At(place));
        }

        Assert.NotEqual(
            all, Enumerable.Range(0, 25_000)
            .Select(i => new WeightedOrder([50, 60], [0.3, 0.7], seed: 10).At(i % 100)));
        Assert.NotEqual(all[..1000].Select(p => p.Index < 50), all[10_000..11_000].Select(p => p.Index < 50));
    }

    [Theory]
    [InlineData(1e-9, 1)]
    [InlineData(1, 1e-9)]
    [InlineData(1e12, 1)]
    public void ATinyWeight_StillCounts(double first, double second)
    {
        var order = new WeightedOrder([3, 3], [first, second], seed: 1);
        var indices = Enumerable.Range(0, WeightedOrder.BlockLength).Select(i => order.At(i).Index < 3).ToArray();
        Assert.Contains(true, indices);
        Assert.Contains(false, indices);
    }
}
