using ILGPU;
using ILGPU.Algorithms;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Attention forward with few queries, as in decoding: tiles of 64 would be mostly empty, so each query has a group of
/// threads to itself.
/// </summary>
internal sealed partial class GpuBackend
{
    // More queries than this are worth a tile.
    private const int MaxSingleQueries = 16;

    // Threads that share the products of one key, and the distance between their sums, which spreads them over the
    // banks.
    private const int KeyLanes = 16, KeyLaneStride = KeyLanes + 1;

    [Kernel(GroupSize, Hot = true)]
    private static void SingleQueryKernel<T>(
        ArrayView<T> q, ArrayView<T> k, ArrayView<T> v, ArrayView<T> output, ArrayView<float> logSumExp,
        AttentionLayout layout, AttentionRules rules)
        where T : unmanaged, IElement<T>
    {
        var query = SharedMemory.Allocate<float>(GroupSize);
        var weights = SharedMemory.Allocate<float>(GroupSize);
        var sumsOfLanes = SharedMemory.Allocate<float>(GroupSize * KeyLaneStride);
        var shared = SharedMemory.Allocate<float>(GroupReduction.SharedFloats);

        int thread = Group.IdxX, row = Grid.IdxX, token = row % layout.Queries,
            head = row / layout.Queries % layout.Heads, batch = row / layout.Queries / layout.Heads;
        int keyHead = head / layout.HeadsPerKeyHead, d = layout.HeadSize, end = rules.End(batch, token);
        if (thread < d)
            query[thread] = q[layout.Q.At(batch, head, token) + thread].ToFloat() * layout.Scale;
        Group.Barrier();

        // For the values a thread has a column, and each column one thread or more, which share the keys.
        int columns = d <= 32 ? 32 : d <= 64 ? 64 : d <= 128 ? 128 : 256, column = thread % columns;
        float max = float.NegativeInfinity, total = 0, sum = 0;
        for (int key = rules.First(batch, token); key < end; key += GroupSize)
        {
            int keys = XMath.Min(GroupSize, end - key);
            KeyProducts(query, k, layout.K.At(batch, keyHead, key), layout.K.Token, keys, d, sumsOfLanes);
            Group.Barrier();

            // Online softmax over as many keys as there are threads: a new maximum scales down what was summed before
            // it.
            float score = thread < keys ? SumOfLanes(sumsOfLanes, thread) : float.NegativeInfinity;
            float newMax = XMath.Max(max, GroupReduction.Max(score, shared, GroupSize)),
                correction = XMath.Exp(max - newMax);
            max = newMax;
            float weight = thread < keys ? XMath.Exp(score - max) : 0;
            weights[thread] = weight * rules.Factors(layout.Pair(row, key + thread)).X;
            total = total * correction + GroupReduction.Sum(weight, shared, GroupSize);
            sum *= correction;
            if (column < d)
            {
                sum += WeightedValues(
                    weights, v, layout.V.At(batch, keyHead, key) + column, layout.V.Token, thread / columns,
                    GroupSize / columns, keys);
            }
        }

        Group.Barrier(); // the last products have been read
        sumsOfLanes[thread] = sum;
        Group.Barrier();
        for (int i = thread + columns; thread < d && i < GroupSize; i += columns)
            sum += sumsOfLanes[i];

        // A query that sees no key (padding) gives zeros: a NaN would spread through the keys that it becomes.
        if (thread < d)
            output[layout.Output.At(batch, head, token) + thread] = default(T).From(total > 0 ? sum / total : sum);
        if (thread == 0)
            logSumExp[row] = max + XMath.Log(total);
    }

    // Neighbouring threads read neighbouring elements of a key; each leaves its share of the product.
    private static void KeyProducts<T>(
        ArrayView<float> query, ArrayView<T> k, int place, int stride, int keys, int d, ArrayView<float> sumsOfLanes)
        where T : unmanaged, IElement<T>
    {
        int lane = Group.IdxX % KeyLanes;
        for (int key = Group.IdxX / KeyLanes; key < keys; key += GroupSize / KeyLanes)
        {
            float sum = 0;
            for (int i = lane; i < d; i += KeyLanes)
                sum += query[i] * k[place + key * stride + i].ToFloat();
            sumsOfLanes[key * KeyLaneStride + lane] = sum;
        }
    }

    private static float SumOfLanes(ArrayView<float> sumsOfLanes, int key)
    {
        float sum = 0;
        for (int lane = 0; lane < KeyLanes; lane++)
            sum += sumsOfLanes[key * KeyLaneStride + lane];
        return sum;
    }

    private static float WeightedValues<T>(ArrayView<float> weights, ArrayView<T> v, int place, int stride, int first,
        int step, int keys) where T : unmanaged, IElement<T>
    {
        float sum = 0;
        for (int key = first; key < keys; key += step)
            sum += weights[key] * v[place + key * stride].ToFloat();
        return sum;
    }
}
