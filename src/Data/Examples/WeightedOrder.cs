namespace TinyLlm.Data;

/// <summary>
/// The order of training on several sources that are drawn by weight. Each block of <see cref="BlockLength"/> examples
/// has a fixed number of each source's, in a seeded order of its own; within a source every epoch visits each example
/// once. All of it is computed, so that the place in it is one number.
/// </summary>
public sealed class WeightedOrder : IExampleOrder
{
    /// <summary>Examples of a block: shares are exact to one in this many.</summary>
    public const int BlockLength = 10_000;

    private readonly ulong seed;
    private readonly ExampleOrder[] orders;
    private readonly long[] firstIndex;  // where each source's examples begin among all
    private readonly int[] firstPlace;   // where each source's places begin in a block, and, last, BlockLength
    private long block = -1;
    private Permutation? permutation;

    /// <summary>Creates the order.</summary>
    /// <param name="counts">Examples of each source.</param>
    /// <param name="weights">Positive; only their proportions count.</param>
    /// <param name="seed">Seed of the run.</param>
    public WeightedOrder(IReadOnlyList<long> counts, IReadOnlyList<double> weights, ulong seed)
    {
        this.seed = seed;
        orders = [.. counts.Select((count, source) => new ExampleOrder(count, seed + (ulong)source))];
        firstIndex = new long[counts.Count];
        firstPlace = new int[counts.Count + 1];
        double total = weights.Sum(), sum = 0;
        for (int source = 0; source < counts.Count; source++)
        {
            if (source > 0)
                firstIndex[source] = firstIndex[source - 1] + counts[source - 1];
            sum += weights[source];

            // At least one place each, whatever is still to come.
            int end = (int)Math.Round(BlockLength * (sum / total));
            firstPlace[source + 1] = Math.Clamp(end, firstPlace[source] + 1, BlockLength - (counts.Count - 1 - source));
        }
    }

    /// <inheritdoc/>
    public (long Epoch, long Index) At(long position)
    {
        if (permutation is null || position / BlockLength != block)
        {
            block = position / BlockLength;
            permutation = new Permutation(BlockLength, ~seed, block);
        }

        int place = (int)permutation.At(position % BlockLength);
        int source = Array.BinarySearch(firstPlace, place);
        source = source < 0 ? ~source - 1 : source;
        int share = firstPlace[source + 1] - firstPlace[source];
        var (epoch, index) = orders[source].At(block * share + (place - firstPlace[source]));
        return (epoch, firstIndex[source] + index);
    }
}
