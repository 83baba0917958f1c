using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Attention forward: a group of threads has 64 queries of a head and 64 columns of their output, and goes through the
/// tiles of keys that they see.
/// </summary>
internal sealed partial class GpuBackend
{
    // In the softmax a query has four threads, each with a quarter of a tile's keys.
    private const int KeysOfThread = AttentionTile * AttentionTile / GroupSize;

    [Kernel(GroupSize, Hot = true)]
    private static void AttentionKernel<T>(
        ArrayView<T> q, ArrayView<T> k, ArrayView<T> v, ArrayView<T> output, ArrayView<float> logSumExp,
        AttentionLayout layout, AttentionRules rules)
        where T : unmanaged, IElement<T>
    {
        var panel = SharedMemory.Allocate<float>(PanelFloats);
        var weights = SharedMemory.Allocate<float>(PanelFloats); // (keys, queries): scores, then probabilities
        var maxima = SharedMemory.Allocate<float>(GroupSize);
        var totals = SharedMemory.Allocate<float>(GroupSize);
        var factors = SharedMemory.Allocate<float>(AttentionTile);

        var place = new AttentionPlace(layout.Queries, layout.Heads, layout.HeadSize);
        int batch = place.Batch, keyHead = place.Head / layout.HeadsPerKeyHead, d = layout.HeadSize;
        var queries = new TokenRows<T>(q, layout.Q.At(batch, place.Head, place.Token), layout.Q.Token, place.Count);

        // The query whose softmax this thread has a part in, and its keys.
        int row = Group.IdxX % AttentionTile, part = Group.IdxX / AttentionTile * KeysOfThread,
            query = place.Token + row;
        bool exists = row < place.Count;
        int first = exists ? rules.First(batch, query) : 0, end = exists ? rules.End(batch, query) : 0;

        Float4x4 sums = default;
        float max = float.NegativeInfinity, total = 0;
        int lastEnd = rules.End(batch, place.Token + place.Count - 1);
        for (int key = rules.FirstOf(batch, place.Token, place.Count); key < lastEnd; key += AttentionTile)
        {
            int keys = XMath.Min(AttentionTile, lastEnd - key);
            var scores = RowProducts(
                new TokenRows<T>(k, layout.K.At(batch, keyHead, key), layout.K.Token, keys), Group.IdxX / 16, queries,
                Group.IdxX % 16, d, panel);
            WriteBlock(weights, Group.IdxX / 16, Group.IdxX % 16, scores);
            Group.Barrier();

            int from = XMath.Clamp(first - key, part, part + KeysOfThread),
                to = XMath.Clamp(end - key, from, part + KeysOfThread);
            maxima[Group.IdxX] = MaxOfKeys(weights, row, from, to);
            Group.Barrier();

            // Online softmax: a new maximum scales down what was summed before it.
            float newMax = XMath.Max(max, MaxOfParts(maxima, row) * layout.Scale);
            float correction = newMax > max ? XMath.Exp(max - newMax) : 1;
            max = newMax;
            totals[Group.IdxX] = Weigh(
                weights, row, part, from, to, layout.Scale, max, layout.Pair(layout.Row(batch, place.Head, query), key),
                rules);
            if (part == 0)
                factors[row] = correction;
            CopyRows(new TokenRows<T>(v, layout.V.At(batch, keyHead, key), layout.V.Token, keys), place.Column, d,
                panel);
            Group.Barrier();

            total = total * correction + SumOfParts(totals, row);
            sums = PlusLines(
                RowsTimes(sums, factors.AsAligned(16).Cast<Float4>()[Group.IdxX / 16]), weights, Group.IdxX / 16, panel,
                Group.IdxX % 16, keys);
        }

        Group.Barrier(); // the last factors have been read
        if (part == 0)
        {
            // A query that sees no key (padding) gives zeros: a NaN would spread through the keys that it becomes.
            factors[row] = total > 0 ? 1 / total : 0;
            if (exists && place.Column == 0)
                logSumExp[layout.Row(batch, place.Head, query)] = max + XMath.Log(total);
        }

        Group.Barrier();
        sums = RowsTimes(sums, factors.AsAligned(16).Cast<Float4>()[Group.IdxX / 16]);
        StoreBlock(output, layout.Output.At(batch, place.Head, place.Token), layout.Output.Token, Group.IdxX / 16 * 4,
            place.Count, place.Column + Group.IdxX % 16 * 4, d, sums);
    }

    private static float MaxOfKeys(ArrayView<float> weights, int row, int from, int to)
    {
        float max = float.NegativeInfinity;
        for (int key = from; key < to; key++)
            max = XMath.Max(max, weights[key * PanelLine + row]);
        return max;
    }

    private static float MaxOfParts(ArrayView<float> parts, int row) =>
        XMath.Max(XMath.Max(parts[row], parts[AttentionTile + row]),
            XMath.Max(parts[2 * AttentionTile + row], parts[3 * AttentionTile + row]));

    private static float SumOfParts(ArrayView<float> parts, int row) =>
        parts[row] + parts[AttentionTile + row] + (parts[2 * AttentionTile + row] + parts[3 * AttentionTile + row]);

    // Scores become probabilities up to a factor, e^(score - max), after dropout; returns their sum before it. Keys
    // that the query does not see get 0.
    private static float Weigh(
        ArrayView<float> weights, int row, int part, int from, int to, float scale, float max, long pair,
        AttentionRules rules)
    {
        float sum = 0;
        for (int key = part; key < part + KeysOfThread; key += 4)
        {
            Float4 kept = rules.Factors(pair + key);
            sum += WeighKey(weights, row, key, from, to, scale, max, kept.X);
            sum += WeighKey(weights, row, key + 1, from, to, scale, max, kept.Y);
            sum += WeighKey(weights, row, key + 2, from, to, scale, max, kept.Z);
            sum += WeighKey(weights, row, key + 3, from, to, scale, max, kept.W);
        }

        return sum;
    }

    private static float WeighKey(
        ArrayView<float> weights, int row, int key, int from, int to, float scale, float max, float kept)
    {
        int place = key * PanelLine + row;
        float weight = key >= from && key < to ? XMath.Exp(weights[place] * scale - max) : 0;
        weights[place] = weight * kept;
        return weight;
    }
}
