using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Which keys a query sees, and which probabilities are dropped: an argument of attention's kernels. All that changes
/// from step to step is read on the device.
/// </summary>
/// <param name="offsets">Keys before a row's first query, or empty for zeros.</param>
/// <param name="starts">The first key of each query, or empty for zeros.</param>
/// <param name="state">The step state, or empty where nothing is dropped.</param>
/// <param name="dropout">The mask of the probabilities.</param>
/// <param name="queries">Tq.</param>
/// <param name="keys">Tk.</param>
internal readonly struct AttentionRules(
    ArrayView<int> offsets, ArrayView<int> starts, ArrayView<int> state, DropoutMask dropout, int queries, int keys)
{
    private readonly ArrayView<int> offsets = offsets, starts = starts, state = state;
    private readonly DropoutMask dropout = dropout;
    private readonly int queries = queries, keys = keys;

    /// <summary>Keys of a row that come before its first query.</summary>
    public int Offset(int batch) => offsets.IntLength > 0 ? offsets[batch] : 0;

    /// <summary>The first key that a query sees.</summary>
    public int First(int batch, int query) => starts.IntLength > 0 ? starts[batch * queries + query] : 0;

    /// <summary>The first key that any of some queries sees.</summary>
    public int FirstOf(int batch, int query, int count)
    {
        if (starts.IntLength == 0)
            return 0;
        int first = int.MaxValue;
        for (int i = 0; i < count; i++)
            first = XMath.Min(first, First(batch, query + i));
        return first;
    }

    /// <summary>The key after the last one that a query sees.</summary>
    public int End(int batch, int query) => XMath.Min(Offset(batch) + query + 1, keys);

    /// <summary>Whether probabilities are dropped.</summary>
    public bool Drops => state.IntLength > 0;

    /// <summary>
    /// Factors 0 or 1 / (1 - p) of four probabilities in a row, from number <paramref name="pair"/> on; ones where
    /// nothing is dropped.
    /// </summary>
    public Float4 Factors(long pair) => Drops ? dropout.FactorsFrom(state, dropout.Start(state) + (ulong)pair)
        : new Float4(1, 1, 1, 1);
}
