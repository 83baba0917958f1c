using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Attention backward. Probabilities are recomputed from the log-sum-exp, tile by tile; a group owns the gradients that
/// it sums: of 64 keys and values, or of 64 queries, and 64 columns of them.
/// </summary>
internal sealed partial class GpuBackend
{
    // Threads of a row of AttentionDeltaKernel.
    private const int LanesOfDelta = 32;

    /// <summary>delta (B, H, Tq) = the dot products of the rows of dOut and out.</summary>
    [Kernel(GroupSize)]
    private static void AttentionDeltaKernel<T>(
        ArrayView<T> dOutput, Rows dOutputRows, ArrayView<T> output, Rows outputRows, ArrayView<float> delta, int rows,
        AttentionLayout layout)
        where T : unmanaged, IElement<T>
    {
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);
        int row = Grid.IdxX * (GroupSize / LanesOfDelta) + Group.IdxX / LanesOfDelta, lane = Group.IdxX % LanesOfDelta,
            end = row < rows ? layout.HeadSize : 0;
        int gradient = dOutputRows.At(row), place = outputRows.At(row);
        float sum = 0;
        for (int i = lane; i < end; i += LanesOfDelta)
            sum += dOutput[gradient + i].ToFloat() * output[place + i].ToFloat();
        sum = GroupReduction.Sum(sum, shared, LanesOfDelta);

        // A row of the tensors is a token's head; delta has the tokens of a head together.
        int token = row / layout.Heads;
        if (lane == 0 && end > 0)
            delta[layout.Row(token / layout.Queries, row % layout.Heads, token % layout.Queries)] = sum;
    }

    /// <summary>
    /// dV = P^T dOut and dK = dS^T Q / sqrt(D), over the heads that share a key head and the tiles of queries that see
    /// the keys.
    /// </summary>
    [Kernel(GroupSize, Hot = true)]
    private static void AttentionKeyGradientKernel<T>(
        ArrayView<T> q, ArrayView<T> k, ArrayView<T> v, ArrayView<T> dOutput, ArrayView<float> logSumExp,
        ArrayView<float> delta,
        ArrayView<T> dk, ArrayView<T> dv, AttentionLayout layout, AttentionLayout gradients, AttentionRules rules)
        where T : unmanaged, IElement<T>
    {
        var panel = SharedMemory.Allocate<float>(PanelFloats);
        var block = SharedMemory.Allocate<float>(PanelFloats); // (queries, keys): probabilities, then dS
        var place = new AttentionPlace(layout.Keys, layout.KeyHeads, layout.HeadSize);
        int batch = place.Batch, key = place.Token, d = layout.HeadSize, rowFour = Group.IdxX / 16,
            columnFour = Group.IdxX % 16;
        var keys = new TokenRows<T>(k, layout.K.At(batch, place.Head, key), layout.K.Token, place.Count);
        var values = new TokenRows<T>(v, layout.V.At(batch, place.Head, key), layout.V.Token, place.Count);

        Float4x4 dKeys = default, dValues = default;
        int firstHead = place.Head * layout.HeadsPerKeyHead, firstQuery = XMath.Max(0, key - rules.Offset(batch));
        for (int head = firstHead; head < firstHead + layout.HeadsPerKeyHead; head++)
        {
            for (int query = firstQuery; query < layout.Queries; query += AttentionTile)
            {
                // Where documents are packed, whole tiles of queries may see none of the keys.
                int count = XMath.Min(AttentionTile, layout.Queries - query);
                if (rules.FirstOf(batch, query, count) < key + place.Count)
                {
                    var queries = new TokenRows<T>(q, layout.Q.At(batch, head, query), layout.Q.Token, count);
                    var dOutputs = new TokenRows<T>(
                        dOutput, gradients.Output.At(batch, head, query), gradients.Output.Token, count);
                    Float4x4 scores = RowProducts(queries, rowFour, keys, columnFour, d, panel),
                        dp = RowProducts(dOutputs, rowFour, values, columnFour, d, panel);
                    var gradient = GradientBlock.Of(
                        scores, dp, batch, head, query + 4 * rowFour, key + 4 * columnFour, logSumExp, delta, layout,
                        rules);

                    WriteBlock(block, rowFour, columnFour, gradient.P);
                    Group.Barrier();
                    CopyRows(dOutputs, place.Column, d, panel);
                    Group.Barrier();
                    dValues = PlusLines(dValues, block, rowFour, panel, columnFour, count);
                    Group.Barrier(); // both are overwritten
                    WriteBlock(block, rowFour, columnFour, gradient.Ds);
                    CopyRows(queries, place.Column, d, panel);
                    Group.Barrier();
                    dKeys = PlusLines(dKeys, block, rowFour, panel, columnFour, count);
                }
            }
        }

        StoreBlock(dv, gradients.V.At(batch, place.Head, key), gradients.V.Token, 4 * rowFour, place.Count,
            place.Column + 4 * columnFour, d, dValues);
        StoreBlock(dk, gradients.K.At(batch, place.Head, key), gradients.K.Token, 4 * rowFour, place.Count,
            place.Column + 4 * columnFour, d, dKeys);
    }

    /// <summary>dQ = dS K / sqrt(D), over the tiles of keys that the queries see.</summary>
    [Kernel(GroupSize, Hot = true)]
    private static void AttentionQueryGradientKernel<T>(
        ArrayView<T> q, ArrayView<T> k, ArrayView<T> v, ArrayView<T> dOutput, ArrayView<float> logSumExp,
        ArrayView<float> delta,
        ArrayView<T> dq, AttentionLayout layout, AttentionLayout gradients, AttentionRules rules)
        where T : unmanaged, IElement<T>
    {
        var panel = SharedMemory.Allocate<float>(PanelFloats);
        var block = SharedMemory.Allocate<float>(PanelFloats); // (keys, queries): dS
        var place = new AttentionPlace(layout.Queries, layout.Heads, layout.HeadSize);
        int batch = place.Batch, head = place.Head, query = place.Token, keyHead = head / layout.HeadsPerKeyHead,
            d = layout.HeadSize;
        int slow = Group.IdxX / 16, fast = Group.IdxX % 16;
        var queries = new TokenRows<T>(q, layout.Q.At(batch, head, query), layout.Q.Token, place.Count);
        var dOutputs =
            new TokenRows<T>(dOutput, gradients.Output.At(batch, head, query), gradients.Output.Token, place.Count);

        Float4x4 dQueries = default;
        int lastEnd = rules.End(batch, query + place.Count - 1);
        for (int key = rules.FirstOf(batch, query, place.Count); key < lastEnd; key += AttentionTile)
        {
            int count = XMath.Min(AttentionTile, lastEnd - key);
            var keys = new TokenRows<T>(k, layout.K.At(batch, keyHead, key), layout.K.Token, count);
            var values = new TokenRows<T>(v, layout.V.At(batch, keyHead, key), layout.V.Token, count);
            Float4x4 scores = RowProducts(queries, fast, keys, slow, d, panel),
                dp = RowProducts(dOutputs, fast, values, slow, d, panel);
            var gradient = GradientBlock.Of(
                scores, dp, batch, head, query + 4 * fast, key + 4 * slow, logSumExp, delta, layout, rules);

            WriteBlock(block, slow, fast, Transposed(gradient.Ds));
            Group.Barrier();
            CopyRows(keys, place.Column, d, panel);
            Group.Barrier();
            dQueries = PlusLines(dQueries, block, slow, panel, fast, count);
        }

        StoreBlock(dq, gradients.Q.At(batch, head, query), gradients.Q.Token, 4 * slow, place.Count,
            place.Column + 4 * fast, d, dQueries);
    }

    /// <summary>
    /// Of four queries with four keys: the probabilities after dropout, and dS = P (dP - delta) / sqrt(D); a row for
    /// each query.
    /// </summary>
    private readonly struct GradientBlock(Float4x4 p, Float4x4 ds)
    {
        public Float4x4 P { get; } = p;

        public Float4x4 Ds { get; } = ds;

        public static GradientBlock Of(
            Float4x4 scores, Float4x4 dp, int batch, int head, int query, int key,
            ArrayView<float> logSumExp, ArrayView<float> delta,
            AttentionLayout layout, AttentionRules rules)
        {
            GradientRow x = Row(scores.X, dp.X, batch, head, query, key, logSumExp, delta, layout, rules),
                y = Row(scores.Y, dp.Y, batch, head, query + 1, key, logSumExp, delta, layout, rules);
            GradientRow z = Row(scores.Z, dp.Z, batch, head, query + 2, key, logSumExp, delta, layout, rules),
                w = Row(scores.W, dp.W, batch, head, query + 3, key, logSumExp, delta, layout, rules);
            return new GradientBlock(new Float4x4(x.P, y.P, z.P, w.P), new Float4x4(x.Ds, y.Ds, z.Ds, w.Ds));
        }

        private static GradientRow Row(
            Float4 scores, Float4 dp, int batch, int head, int query, int key,
            ArrayView<float> logSumExp, ArrayView<float> delta,
            AttentionLayout layout, AttentionRules rules)
        {
            if (query >= layout.Queries)
                return default;
            int row = layout.Row(batch, head, query), first = rules.First(batch, query) - key,
                end = rules.End(batch, query) - key;
            float scale = layout.Scale, shift = logSumExp[row], center = delta[row];
            var kept = rules.Factors(layout.Pair(row, key));
            var p = new Float4(
                Probability(scores.X * scale - shift, 0, first, end),
                Probability(scores.Y * scale - shift, 1, first, end),
                Probability(scores.Z * scale - shift, 2, first, end),
                Probability(scores.W * scale - shift, 3, first, end));
            return new GradientRow(
                new Float4(p.X * kept.X, p.Y * kept.Y, p.Z * kept.Z, p.W * kept.W),
                new Float4(
                    Gradient(p.X, dp.X * kept.X - center, scale), Gradient(p.Y, dp.Y * kept.Y - center, scale),
                    Gradient(p.Z, dp.Z * kept.Z - center, scale), Gradient(p.W, dp.W * kept.W - center, scale)));
        }

        private static float Probability(float exponent, int key, int first, int end) =>
            key >= first && key < end ? XMath.Exp(exponent) : 0;

        // A key that the query does not see may hold anything, NaN too.
        private static float Gradient(float p, float difference, float scale) => p == 0 ? 0 : p * difference * scale;
    }

    private readonly struct GradientRow(Float4 p, Float4 ds)
    {
        public Float4 P { get; } = p;

        public Float4 Ds { get; } = ds;
    }
}
