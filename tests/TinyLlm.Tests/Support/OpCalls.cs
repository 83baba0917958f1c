using TinyLlm.Kernels;
using TinyLlm.Kernels.Gpu;

namespace TinyLlm.Tests.Support;

/// <summary>One call of an op on tensors of its own, and what it writes.</summary>
internal sealed record OpCall(string Name, Action Run, Tensor[] Outputs);

/// <summary>Sizes of the tensors that <see cref="OpCalls"/> works on; Count is that of element-wise ops.</summary>
public sealed record OpSizes(int B, int T, int H, int Hkv, int D, int F, int V, int PaddedV, int Count)
{
    /// <summary>Large enough to be cut into several items of work on the CPU.</summary>
    public static readonly OpSizes Large =
        new(B: 2, T: 70, H: 4, Hkv: 2, D: 24, F: 200, V: 300, PaddedV: 384, Count: 50000);

    /// <summary>Odd, and small enough for the simulator.</summary>
    public static readonly OpSizes Tiny = new(B: 2, T: 5, H: 2, Hkv: 1, D: 6, F: 9, V: 11, PaddedV: 13, Count: 301);
}

/// <summary>
/// One call of every op, forward and backward, on the same seeded values whatever the backend: for what must hold of
/// all ops alike.
/// </summary>
internal sealed class OpCalls : IDisposable
{
    private readonly OpSizes sizes;
    private readonly DType type;
    private readonly bool rounded;
    private readonly Arena arena;
    private readonly RandomValues values = new(1);
    private readonly List<(Tensor Tensor, float[] Values)> floats = [];
    private readonly List<(Tensor Tensor, int[] Values)> integers = [];
    private readonly StepState state;

    /// <param name="backend">Where to run.</param>
    /// <param name="sizes">Sizes; large where not given.</param>
    /// <param name="type">Type of activations and of the matrices that they are multiplied with.</param>
    /// <param name="rounded">Whether their values are such as BF16 can hold, whatever the type: for comparing the
    /// two.</param>
    public OpCalls(Backend backend, OpSizes? sizes = null, DType type = DType.F32, bool rounded = false)
    {
        (this.sizes, this.type, this.rounded) = (sizes ?? OpSizes.Large, type, rounded);
        arena = new Arena(backend, "op calls");
        state = new StepState(arena);
        All = [.. Linear(backend), .. Norms(backend), .. Attention(backend), .. Pointwise(backend),
            .. Optimizer(backend), .. Quantized(backend)];
        arena.Allocate();
        Reset();
    }

    // Which sizes stand for what, as in the ops' contracts.
    private int B => sizes.B;

    private int T => sizes.T;

    private int H => sizes.H;

    private int Hkv => sizes.Hkv;

    private int D => sizes.D;

    private int C => sizes.H * sizes.D;

    private int F => sizes.F;

    private int V => sizes.V;

    private int PaddedV => sizes.PaddedV;

    private int N => sizes.B * sizes.T;

    private int Count => sizes.Count;

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
        Tensor x = Activation(N, C), weight = Activation(F, C), bias = New(F), y = Activation(N, F),
            dx = Activation(N, C), dWeight = New(F, C), dBias = New(F);
        yield return new("MatMul", () => backend.MatMul(x, weight, bias, y), [y]);
        yield return new(
            "MatMul of one row", () =>
                backend.MatMul(x.Slice(0, 0, 1), weight, bias, y.Slice(0, 0, 1)), [y.Slice(0, 0, 1)]);
        yield return new("MatMulBackwardInput", () => backend.MatMulBackwardInput(y, weight, dx), [dx]);
        yield return new(
            "MatMulBackwardWeight", () => backend.MatMulBackwardWeight(y, x, dWeight, dBias), [dWeight, dBias]);

        Tensor residual = Activation(N, F), pre = Activation(N, F), dPre = Activation(N, C);
        yield return new("MatMulAdd", () => backend.MatMulAdd(x, weight, bias, residual, y), [y]);
        yield return new("MatMulGelu", () => backend.MatMulGelu(x, weight, bias, pre, y), [pre, y]);
        yield return new(
            "MatMulGelu of one row", () =>
                backend.MatMulGelu(x.Slice(0, 0, 1), weight, bias, pre.Slice(0, 0, 1), y.Slice(0, 0, 1)),
                [y.Slice(0, 0, 1)]);
        yield return new("MatMulBackwardGelu", () => backend.MatMulBackwardGelu(residual, weight, x, dPre), [dPre]);

        Tensor tokens = Ids(V, B, T), positions = Ids(T, B, T), table = Activation(V, C), places = Activation(T, C),
            rows = Activation(B, T, C), dTable = New(V, C), dPlaces = New(T, C);
        yield return new("Embedding", () => backend.Embedding(tokens, table, positions, places, rows), [rows]);
        yield return new(
            "EmbeddingBackward", () =>
                backend.EmbeddingBackward(rows, tokens, dTable, positions, dPlaces), [dTable, dPlaces]);

        Tensor head = Activation(PaddedV, C), targets = Ids(V, N), logProbabilities = New(N), logSumExp = New(N),
            weights = New(N), dHidden = Activation(N, C), dHead = New(PaddedV, C);
        yield return new(
            "LinearCrossEntropy", () =>
                backend.LinearCrossEntropy(x, head, targets, V, logProbabilities, logSumExp),
                [logProbabilities, logSumExp]);
        yield return new(
            "LinearCrossEntropyBackward", () =>
                backend.LinearCrossEntropyBackward(x, head, targets, V, logSumExp, weights, dHidden, dHead),
                [dHidden, dHead]);
        yield return new(
            "LinearCrossEntropyForwardBackward", () =>
                backend.LinearCrossEntropyForwardBackward(
                    x, head, targets, V, weights, logProbabilities, logSumExp, dHidden, dHead),
            [logProbabilities, logSumExp, dHidden, dHead]);
    }

    private IEnumerable<OpCall> Norms(Backend backend)
    {
        Tensor x = Activation(2 * N, C), weight = New(C), bias = New(C), y = Activation(2 * N, C), mean = New(2 * N),
            rstd = New(2 * N), dx = Activation(2 * N, C), dWeight = New(C), dBias = New(C);
        yield return new("LayerNorm", () => backend.LayerNorm(x, weight, bias, y, mean, rstd, 1e-5f), [y, mean, rstd]);
        yield return new(
            "LayerNormBackward", () =>
                backend.LayerNormBackward(y, x, weight, mean, rstd, dx, dWeight, dBias), [dx, dWeight, dBias]);
        yield return new("RmsNorm", () => backend.RmsNorm(x, weight, y, rstd, 1e-6f), [y, rstd]);
        yield return new(
            "RmsNormBackward", () => backend.RmsNormBackward(y, x, weight, rstd, dx, dWeight, true), [dx, dWeight]);
    }

    private IEnumerable<OpCall> Attention(Backend backend)
    {
        Tensor q = Activation(B, T, H, D), k = Activation(B, T, Hkv, D), v = Activation(B, T, Hkv, D),
            output = Activation(B, T, H, D), logSumExp = New(B, H, T);
        Tensor dOutput = Activation(B, T, H, D), dq = Activation(B, T, H, D), dk = Activation(B, T, Hkv, D),
            dv = Activation(B, T, Hkv, D), positions = Ids(T, B, T), table = New(T, D);
        yield return new("Attention", () => backend.Attention(q, k, v, output, logSumExp), [output, logSumExp]);
        yield return new(
            "AttentionBackward", () =>
                backend.AttentionBackward(dOutput, q, k, v, output, logSumExp, dq, dk, dv), [dq, dk, dv]);
        yield return new(
            "Attention with dropout", () =>
                backend.Attention(q, k, v, output, logSumExp, default, Dropout()), [output, logSumExp]);
        yield return new(
            "AttentionBackward with dropout", () =>
                backend.AttentionBackward(dOutput, q, k, v, output, logSumExp, dq, dk, dv, default, Dropout()),
                [dq, dk, dv]);
        yield return new("Rope", () => backend.Rope(q, positions, table, dq), [dq]);
        yield return new("RopeBackward", () => backend.RopeBackward(q, positions, table, dq), [dq]);

        Tensor offsets = Ids(3, B), cache = Activation(B, T + 3, Hkv, D), one = Activation(B, 1, H, D),
            oneLogSumExp = New(B, H, 1);
        yield return new("CacheWrite", () => backend.CacheWrite(k, offsets, cache), [cache]);
        yield return new(
            "Attention of one query", () =>
                backend.Attention(q.Slice(1, 0, 1), cache, cache, one, oneLogSumExp, new AttentionMask(offsets)),
                [one, oneLogSumExp]);

        AttentionDropout Dropout() => new(0.2f, state.Buffer, 3);
    }

    private IEnumerable<OpCall> Pointwise(Backend backend)
    {
        Tensor x = Activation(Count), dy = Activation(Count), y = Activation(Count), gateUp = Activation(N, 2 * F),
            dGateUp = Activation(N, 2 * F), product = Activation(N, F), single = New(Count);
        yield return new("Add", () => backend.Add(x, dy, y), [y]);
        yield return new("AddScaled", () => backend.AddScaled(product, 0.5f, gateUp.Slice(1, 1, F), true), [gateUp]);
        yield return new("Gelu", () => backend.Gelu(x, y), [y]);
        yield return new("GeluBackward", () => backend.GeluBackward(dy, x, y), [y]);
        yield return new("SwiGlu", () => backend.SwiGlu(gateUp, product), [product]);
        yield return new("SwiGluBackward", () => backend.SwiGluBackward(product, gateUp, dGateUp), [dGateUp]);
        yield return new("Softmax", () => backend.Softmax(gateUp, dGateUp), [dGateUp]);
        yield return new("SoftmaxBackward", () => backend.SoftmaxBackward(gateUp, dGateUp, dGateUp), [dGateUp]);
        yield return new("Dropout", () => backend.Dropout(x, y, 0.1f, state.Buffer, 5), [y]);
        yield return new("Cast", () => backend.Cast(x, single), [single]);
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

        Tensor momentum = New(Count), update = New(Count), direction = Activation(Count),
            normalized = Activation(Count), gram = New(C, C), square = New(C, C), factor = Activation(C, C);
        yield return new("MuonMomentum", () =>
        {
            backend.SumSquares(g, sum);
            backend.MuonMomentum(g, momentum, update, sum, 0.95f, 1);
        }, [momentum, update]);
        yield return new("MuonStep", () => backend.MuonStep(p, direction, sum, state.Buffer, 5, 2, 0.1f), [p]);
        yield return new("Normalize", () => backend.Normalize(update, sum, normalized), [normalized]);
        yield return new(
            "NewtonSchulzFactor", () =>
                backend.NewtonSchulzFactor(gram, square, factor, new QuinticCoefficients(3.4445f, -4.775f, 2.0315f)),
                [factor]);
    }

    private IEnumerable<OpCall> Quantized(Backend backend)
    {
        if (!backend.Supports(DType.I8))
            yield break;
        Tensor x = Activation(N, C), bias = New(PaddedV), y = Activation(N, PaddedV), tokens = Ids(V, B, T),
            rows = Activation(B, T, C), targets = Ids(V, N), logProbabilities = New(N), logSumExp = New(N);
        float[] content = values.Floats((long)PaddedV * C);
        var weight = QuantizedMatrix.Plan(arena, "quantized", (PaddedV, C));
        yield return new("Quantize", () => backend.Quantize(content, weight), [weight.Scales]);
        yield return new("QuantizedMatMul", () => backend.QuantizedMatMul(x, weight, bias, y), [y]);
        yield return new(
            "QuantizedMatMul of one row", () =>
                backend.QuantizedMatMul(x.Slice(0, 0, 1), weight, bias, y.Slice(0, 0, 1)), [y.Slice(0, 0, 1)]);
        yield return new(
            "QuantizedEmbedding", () => backend.QuantizedEmbedding(tokens, weight, tokens, weight, rows), [rows]);
        yield return new(
            "QuantizedLinearCrossEntropy", () =>
                backend.QuantizedLinearCrossEntropy(x, weight, targets, V, logProbabilities, logSumExp),
                [logProbabilities, logSumExp]);
    }

    private Tensor Activation(params ReadOnlySpan<int> sizes) => Add(new Shape(sizes), type, rounded);

    private Tensor New(params ReadOnlySpan<int> sizes) => Add(new Shape(sizes), DType.F32, rounded: false);

    private Tensor Add(Shape shape, DType dtype, bool rounded)
    {
        var tensor = arena.Add($"x{floats.Count}", shape, dtype);
        float[] content = values.Floats(tensor.Count);
        floats.Add((tensor, rounded ? Array.ConvertAll(content, BFloat16.Round) : content));
        return tensor;
    }

    private Tensor Ids(int high, params ReadOnlySpan<int> sizes)
    {
        var tensor = arena.Add($"i{integers.Count}", new Shape(sizes), DType.I32);
        integers.Add((tensor, values.Integers(tensor.Count, 0, high)));
        return tensor;
    }
}
