using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;

namespace TinyLlm.GpuBench.Ops;

/// <summary>
/// Causal attention of one shape, on several sets of buffers, with its check. Queries, keys and values are the rows of
/// one stacked projection, as in the model.
/// </summary>
internal sealed class AttentionCase : IDisposable
{
    private const long QkvStart = 1_000_003, DOutStart = 2_000_003;

    private readonly Backend backend;
    private readonly Noise noise;
    private readonly AttentionShape shape;
    private readonly DType dtype;
    private readonly Arena arena;
    private readonly Buffers[] sets;
    private readonly Lazy<Reference> reference;

    private sealed record Buffers(Tensor Qkv, Tensor Output, Tensor LogSumExp, Tensor DOutput, Tensor DQkv);

    private sealed record Reference(double[] Output, double[] Dq, double[] Dk, double[] Dv);

    public AttentionCase(Backend backend, Noise noise, AttentionShape shape, int sets)
    {
        (this.backend, this.noise, this.shape, dtype) = (backend, noise, shape, Sizes.TypeOf(shape.Precision));
        var s = shape;
        arena = new Arena(backend, "attention");
        this.sets = [.. Enumerable.Range(0, sets).Select(_ => new Buffers(
            arena.Add("qkv", (s.B, s.T, Heads * s.D), dtype),
            arena.Add("output", (s.B, s.T, s.H, s.D), dtype),
            arena.Add("logsumexp", (s.B, s.H, s.T)),
            arena.Add("d.output", (s.B, s.T, s.H, s.D), dtype),
            arena.Add("d.qkv", (s.B, s.T, Heads * s.D), dtype)))];
        arena.Allocate();
        foreach (var set in this.sets)
        {
            noise.Fill(set.Qkv, QkvStart);
            noise.Fill(set.DOutput, DOutStart);
        }

        reference = new Lazy<Reference>(LastGroup);
    }

    /// <summary>Bytes of one set of buffers.</summary>
    public static long BytesPerSet(AttentionShape s) =>
        (long)s.B * s.T * (2 * (s.H + 2 * s.Hkv) + 2 * s.H) * s.D * Sizes.TypeOf(s.Precision).Size();

    public void Forward(int set)
    {
        var (q, k, v) = Split(sets[set].Qkv);
        backend.Attention(q, k, v, sets[set].Output, sets[set].LogSumExp);
    }

    public void Backward(int set)
    {
        var (q, k, v) = Split(sets[set].Qkv);
        var (dq, dk, dv) = Split(sets[set].DQkv);
        backend.AttentionBackward(sets[set].DOutput, q, k, v, sets[set].Output, sets[set].LogSumExp, dq, dk, dv);
    }

    /// <summary>
    /// ||output - reference|| / ||reference|| over the last key head's queries of the last row; NaN where any element
    /// of the output was left unwritten.
    /// </summary>
    public double CheckForward()
    {
        backend.Fill(sets[0].Output, float.NaN);
        backend.Fill(sets[0].LogSumExp, float.NaN);
        Forward(0);
        return noise.IsFinite(sets[0].Output) && noise.IsFinite(sets[0].LogSumExp)
            ? Difference(reference.Value.Output, LastRow(sets[0].Output, shape.H), shape.H, shape.H - Group, Group)
            : double.NaN;
    }

    /// <summary>The largest of the same for dq, dk and dv; the forward pass comes first.</summary>
    public double CheckBackward()
    {
        backend.Fill(sets[0].DQkv, float.NaN);
        Backward(0);
        if (!noise.IsFinite(sets[0].DQkv))
            return double.NaN;
        float[] d = LastRow(sets[0].DQkv, Heads);
        double[] differences =
        [
            Difference(reference.Value.Dq, d, Heads, shape.H - Group, Group),
            Difference(reference.Value.Dk, d, Heads, shape.H + shape.Hkv - 1, 1),
            Difference(reference.Value.Dv, d, Heads, Heads - 1, 1),
        ];
        return differences.Max();
    }

    public void Dispose() => arena.Dispose();

    // Heads of a stacked row, and query heads of a key head.
    private int Heads => shape.H + 2 * shape.Hkv;

    private int Group => shape.H / shape.Hkv;

    private (Tensor Q, Tensor K, Tensor V) Split(Tensor stacked)
    {
        var heads = stacked.SplitLast(shape.D);
        return (heads.Slice(2, 0, shape.H), heads.Slice(2, shape.H, shape.Hkv),
            heads.Slice(2, shape.H + shape.Hkv, shape.Hkv));
    }

    // The last row of the batch, (T, heads, D).
    private float[] LastRow(Tensor tensor, int heads)
    {
        var values = new float[shape.T * heads * shape.D];
        backend.Read(tensor.Slice(0, shape.B - 1, 1), values);
        return values;
    }

    private Reference LastGroup()
    {
        double[] q = Inputs(QkvStart, Heads, shape.H - Group, Group),
            k = Inputs(QkvStart, Heads, shape.H + shape.Hkv - 1, 1), v = Inputs(QkvStart, Heads, Heads - 1, 1);
        double[] dOutput = Inputs(DOutStart, shape.H, shape.H - Group, Group);
        var sizes = new AttentionSizes(1, shape.T, shape.T, Group, 1, shape.D);
        var (dq, dk, dv) = ReferenceOps.AttentionBackward(dOutput, q, k, v, sizes);
        return new Reference(ReferenceOps.Attention(q, k, v, sizes).Output, dq, dk, dv);
    }

    // Some heads of the last row of an input, (T, count, D).
    private double[] Inputs(long start, int heads, int first, int count) =>
    [
        .. from t in Enumerable.Range(0, shape.T)
           from i in Enumerable.Range(0, count * shape.D)
           select noise.At(start, (((shape.B - 1L) * shape.T + t) * heads + first) * shape.D + i, dtype),
    ];

    private double Difference(double[] expected, float[] actual, int heads, int first, int count)
    {
        double difference = 0, norm = 0;
        int width = count * shape.D;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow(actual[(i / width * heads + first) * shape.D + i % width] - expected[i], 2);
            norm += expected[i] * expected[i];
        }

        return Math.Sqrt(difference / norm);
    }
}
