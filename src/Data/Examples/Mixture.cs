using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TinyLlm.Data;

/// <summary>Examples of several sources, which training draws by weight (<see cref="WeightedOrder"/>).</summary>
public sealed class Mixture : IExamples
{
    private readonly IExamples[] sources;
    private readonly double[] weights;
    private readonly long[] ends;

    /// <summary>Joins sources of the same length.</summary>
    /// <exception cref="TinyLlmException">There are more sources than a block has examples.</exception>
    public Mixture(IReadOnlyList<(IExamples Examples, double Weight)> sources)
    {
        if (sources.Count > WeightedOrder.BlockLength)
        {
            throw new TinyLlmException($"{sources.Count} weighted sources; expected at most "
                + $"{WeightedOrder.BlockLength}; join some of them in one --data.");
        }

        this.sources = [.. sources.Select(s => s.Examples)];
        weights = [.. sources.Select(s => s.Weight)];
        ends = new long[sources.Count];
        for (int i = 0; i < ends.Length; i++)
            ends[i] = (i > 0 ? ends[i - 1] : 0) + this.sources[i].Count;
    }

    /// <inheritdoc/>
    public int Length => sources[0].Length;

    /// <inheritdoc/>
    public long Count => ends[^1];

    /// <inheritdoc/>
    public void Read(long epoch, long index, Span<int> tokens, Span<int> targets)
    {
        int source = Array.BinarySearch(ends, index);
        source = source < 0 ? ~source : source + 1; // the first that ends behind the index
        sources[source].Read(epoch, source > 0 ? index - ends[source - 1] : index, tokens, targets);
    }

    /// <inheritdoc/>
    public IExampleOrder Order(ulong seed) => new WeightedOrder([.. sources.Select(s => s.Count)], weights, seed);

    /// <inheritdoc/>
    public void AddTo(IncrementalHash hash)
    {
        hash.AppendData(MemoryMarshal.AsBytes(weights.AsSpan()));
        foreach (var source in sources)
            source.AddTo(hash);
    }
}
