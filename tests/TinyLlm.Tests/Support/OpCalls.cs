using TinyLlm.Kernels;

namespace TinyLlm.Tests.Support;

/// <summary>One call of an op on tensors of its own, and what it writes.</summary>
internal sealed record OpCall(string Name, Action Run, Tensor[] Outputs);

/// <summary>
/// One call of every op, forward and backward, on the same seeded values whatever the backend, with shapes that are cut into several
/// items of work: for what must hold of all ops alike.
/// </summary>
internal sealed class OpCalls : IDisposable
{
    private const int B = 2, T = 70, H = 4, Hkv = 2, D = 24, C = H * D, F = 200, V = 300, PaddedV = 384, N = B * T, Count = 50000;

    private readonly Arena arena;
    private readonly RandomValues values = new(1);
    private readonly List<(Tensor Tensor, float[] Values)> floats = [];
    private readonly List<(Tensor Tensor, int[] Values)> integers = [];
    private readonly StepState state;

    public OpCalls(Backend backend)
    {
        arena = new Arena(backend, "op calls");
        state = new StepState(arena);
        All = [.. Linear(backend), .. Norms(backend), .. Attention(backend), .. Pointwise(backend), .. Optimizer(backend)];
        arena.Allocate();
        Reset();
    }

    public IReadOnlyList<OpCall> All { get; }

    /// <summary>Gives every tensor its first values again, outputs included.</summary>
    public void Reset()
    {
        foreach (var (tensor, content) in floats)
            arena.Backend.Write(tensor, content);
        foreach (var (tensor, content) in integers)
            arena.Backend.Write(tensor, content);
        state.Send(seed: 99, step: 4, microStep: 2, learningRate: 0.01f, beta1: 0.9f, beta2: 0.99f);
    }

    public void Dispose() => arena.Dispose();

    private IEnumerable<OpCall> Linear(Backend backend)
    {
        Tensor x = New(N, C), weight = New(F, C), bias = New(F), y = New(N, F), dx = New(N, C), dWeight = New(F, C), dBias = New(F);
        yield return new("MatMul", () => backend.MatMul(x, weight, bias, y), [y]);
        yield return new("MatMul of one row", () => backend.MatMul(x.Slice(0, 0, 1), weight, bias, y.Slice(0, 0, 1)), [y.Slice(0, 0, 1)]);
        yield return new("MatMulBackwardInput", () => backend.MatMulBackwardInput(y, weight, dx), [dx]);
        yield return new("MatMulBackwardWeight", () => backend.MatMulBackwardWeight(y, x, dWeight, dBias), [dWeight, dBias]);

        Tensor tokens = Ids(V, B, T), positions = Ids(T, B, T), table = New(V, C), places = New(T, C), rows = New(B, T, C), dTable = New(V, C), dPlaces = New(T, C);
        yield return new("Embedding", () => backend.Embedding(tokens, table, positions, places, rows), [rows]);
        yield return new("EmbeddingBackward", () => backend.EmbeddingBackward(rows, tokens, dTable, positions, dPlaces), [dTable, dPlaces]);

        Tensor head = New(PaddedV, C), targets = Ids(V, N), logProbabilities = New(N), logSumExp = New(N), weights = New(N), dHidden = New(N, C), dHead = New(PaddedV, C);
        yield return new("LinearCrossEntropy", () => backend.LinearCrossEntropy(x, head, targets, V, logProbabilities, logSumExp), [logProbabilities, logSumExp]);
        yield return new("LinearCrossEntropyBackward", () => backend.LinearCrossEntropyBackward(x, head, targets, V, logSumExp, weights, dHidden, dHead), [dHidden, dHead]);
    }

    private IEnumerable<OpCall> Norms(Backend backend)
    {
        Tensor x = New(2 * N, C), weight = New(C), bias = New(C), y = New(2 * N, C), mean = New(2 * N), rstd = New(2 * N), dx = New(2 * N, C), dWeight = New(C), dBias = New(C);
        yield return new("LayerNorm", () => backend.LayerNorm(x, weight, bias, y, mean, rstd, 1e-5f), [y, mean, rstd]);
        yield return new("LayerNormBackward", () => backend.LayerNormBackward(y, x, weight, mean, rstd, dx, dWeight, dBias), [dx, dWeight, dBias]);
        yield return new("RmsNorm", () => backend.RmsNorm(x, weight, y, rstd, 1e-6f), [y, rstd]);
        yield return new("RmsNormBackward", () => backend.RmsNormBackward(y, x, weight, rstd, dx, dWeight, true), [dx, dWeight]);
    }

    private IEnumerable<OpCall> Attention(Backend backend)
    {
        Tensor q = New(B, T, H, D), k = New(B, T, Hkv, D), v = New(B, T, Hkv, D), output = New(B, T, H, D), logSumExp = New(B, H, T);
        Tensor dOutput = New(B, T, H, D), dq = New(B, T, H, D), dk = New(B, T, Hkv, D), dv = New(B, T, Hkv, D), positions = Ids(T, B, T), table = New(T, D);
        yield return new("Attention", () => backend.Attention(q, k, v, output, logSumExp), [output, logSumExp]);
        yield return new("AttentionBackward", () => backend.AttentionBackward(dOutput, q, k, v, output, logSumExp, dq, dk, dv), [dq, dk, dv]);
        yield return new("Attention with dropout", () => backend.Attention(q, k, v, output, logSumExp, default, Dropout()), [output, logSumExp]);
        yield return new("AttentionBackward with dropout", () => backend.AttentionBackward(dOutput, q, k, v, output, logSumExp, dq, dk, dv, default, Dropout()), [dq, dk, dv]);
        yield return new("Rope", () => backend.Rope(q, positions, table, dq), [dq]);
        yield return new("RopeBackward", () => backend.RopeBackward(q, positions, table, dq), [dq]);

        Tensor offsets = Ids(3, B), cache = New(B, T + 3, Hkv, D), one = New(B, 1, H, D), oneLogSumExp = New(B, H, 1);
        yield return new("CacheWrite", () => backend.CacheWrite(k, offsets, cache), [cache]);
        yield return new("Attention of one query", () => backend.Attention(q.Slice(1, 0, 1), cache, cache, one, oneLogSumExp, new AttentionMask(offsets)), [one, oneLogSumExp]);

        AttentionDropout Dropout() => new(0.2f, state.Buffer, 3);
    }

    private IEnumerable<OpCall> Pointwise(Backend backend)
    {
        Tensor x = New(Count), dy = New(Count), y = New(Count), gateUp = New(N, 2 * F), dGateUp = New(N, 2 * F), product = New(N, F);
        yield return new("Add", () => backend.Add(x, dy, y), [y]);
        yield return new("Gelu", () => backend.Gelu(x, y), [y]);
        yield return new("GeluBackward", () => backend.GeluBackward(dy, x, y), [y]);
        yield return new("SwiGlu", () => backend.SwiGlu(gateUp, product), [product]);
        yield return new("SwiGluBackward", () => backend.SwiGluBackward(product, gateUp, dGateUp), [dGateUp]);
        yield return new("Dropout", () => backend.Dropout(x, y, 0.1f, state.Buffer, 5), [y]);
        yield return new("Fill", () => backend.Fill(y, 2), [y]);
    }

    private IEnumerable<OpCall> Optimizer(Backend backend)
    {
        Tensor p = New(Count), g = New(Count), m = New(Count), v = New(Count), sum = New(1);
        yield return new("SumSquares", () => backend.SumSquares(g, sum), [sum]);
        yield return new("Dot", () => backend.Dot(p, g, 0.5f, sum), [sum]);

        // Moments of squares are not negative.
        floats[^2].Values.AsSpan().Fill(0.1f);
        yield return new("AdamW", () =>
        {
            backend.SumSquares(g, sum);
            backend.AdamW(p, g, m, v, sum, state.Buffer, new AdamWSettings(0.9f, 0.99f, 1e-8f, 0.1f, 1));
        }, [p, m, v]);
    }

    private Tensor New(params ReadOnlySpan<int> sizes)
    {
        var tensor = arena.Add($"x{floats.Count}", new Shape(sizes));
        floats.Add((tensor, values.Floats(tensor.Count)));
        return tensor;
    }

    private Tensor Ids(int high, params ReadOnlySpan<int> sizes)
    {
        var tensor = arena.Add($"i{integers.Count}", new Shape(sizes), DType.I32);
        integers.Add((tensor, values.Integers(tensor.Count, 0, high)));
        return tensor;
    }
}
