using TinyLlm.Kernels;

namespace TinyLlm.GpuBench.Ops;

/// <summary>The three products of a linear layer of one shape, on several sets of buffers, with their check.</summary>
internal sealed class MatMulCase : IDisposable
{
    private const int Samples = 64;

    // Where in the noise the inputs begin. dWeight begins at a number that is no zero: it is added to.
    private const long XStart = 1_000_003, WeightStart = 2_000_003, DyStart = 3_000_017;
    private const float DWeightStart = 0.5f;

    private readonly Backend backend;
    private readonly Noise noise;
    private readonly MatMulShape shape;
    private readonly DType dtype;
    private readonly Arena arena;
    private readonly Buffers[] sets;

    private sealed record Buffers(Tensor X, Tensor Weight, Tensor Y, Tensor Dx, Tensor DWeight);

    public MatMulCase(Backend backend, Noise noise, MatMulShape shape, int sets)
    {
        (this.backend, this.noise, this.shape, dtype) = (backend, noise, shape, Sizes.TypeOf(shape.Precision));
        arena = new Arena(backend, "matmul");
        this.sets = [.. Enumerable.Range(0, sets).Select(_ => new Buffers(
            arena.Add("x", (shape.M, shape.K), dtype),
            arena.Add("weight", (shape.N, shape.K), dtype),
            arena.Add("y, dy", (shape.M, shape.N), dtype),
            arena.Add("dx", (shape.M, shape.K), dtype),
            arena.Add("dWeight", (shape.N, shape.K))))];
        arena.Allocate();
        foreach (var set in this.sets)
        {
            noise.Fill(set.X, XStart);
            noise.Fill(set.Weight, WeightStart);
        }
    }

    /// <summary>Bytes of one set of buffers.</summary>
    public static long BytesPerSet(MatMulShape s)
    {
        int size = Sizes.TypeOf(s.Precision).Size();
        return size * (2L * s.M * s.K + (long)s.N * s.K + (long)s.M * s.N) + sizeof(float) * (long)s.N * s.K;
    }

    /// <summary>Fills the gradient of y on all sets; what the forward product left there is gone.</summary>
    public void StartBackward()
    {
        foreach (var set in sets)
            noise.Fill(set.Y, DyStart);
    }

    public void Forward(int set) => backend.MatMul(sets[set].X, sets[set].Weight, null, sets[set].Y);

    public void BackwardInput(int set) => backend.MatMulBackwardInput(sets[set].Y, sets[set].Weight, sets[set].Dx);

    public void BackwardWeight(int set) =>
        backend.MatMulBackwardWeight(sets[set].Y, sets[set].X, sets[set].DWeight, null);

    /// <summary>
    /// ||y - reference|| / ||reference|| over sampled elements; NaN where any element of y was left unwritten.
    /// </summary>
    public double CheckForward() => Check(Forward, sets[0].Y, float.NaN,
        (m, n) => Sum(shape.K, k => X(m, k) * Weight(n, k)));

    /// <summary>The same for dx.</summary>
    public double CheckBackwardInput() => Check(BackwardInput, sets[0].Dx, float.NaN,
        (m, k) => Sum(shape.N, n => Dy(m, n) * Weight(n, k)));

    /// <summary>The same for dWeight, which is added to.</summary>
    public double CheckBackwardWeight() => Check(BackwardWeight, sets[0].DWeight, DWeightStart,
        (n, k) => DWeightStart + Sum(shape.M, m => Dy(m, n) * X(m, k)));

    public void Dispose() => arena.Dispose();

    private double Check(Action<int> op, Tensor output, float poison, Func<int, int, double> reference)
    {
        backend.Fill(output, poison);
        op(0);
        if (!noise.IsFinite(output))
            return double.NaN;

        var random = new Random(2);
        int rows = output.Shape[0], columns = output.Shape[1];
        var values = new float[columns];
        double difference = 0, norm = 0;
        for (int i = 0; i < Samples; i++)
        {
            // The last row and column are where a kernel's edge is.
            int row = i == 0 ? rows - 1 : random.Next(rows), column = i <= 1 ? columns - 1 : random.Next(columns);
            backend.Read(output.Slice(0, row, 1), values);
            double expected = reference(row, column);
            difference += Math.Pow(values[column] - expected, 2);
            norm += expected * expected;
        }

        return Math.Sqrt(difference / norm);
    }

    private double X(int m, int k) => noise.At(XStart, (long)m * shape.K + k, dtype);

    private double Weight(int n, int k) => noise.At(WeightStart, (long)n * shape.K + k, dtype);

    private double Dy(int m, int n) => noise.At(DyStart, (long)m * shape.N + n, dtype);

    private static double Sum(int count, Func<int, double> term)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += term(i);
        return sum;
    }
}
