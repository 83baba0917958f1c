using TinyLlm.Kernels;
using TinyLlm.Tests.Reference;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Optimizers;
using Xunit;

namespace TinyLlm.Tests.Training.Optimizers;

public sealed class OrthogonalizationTestsOnCpu : OrthogonalizationTests<Cpu256Threads3>;

public sealed class OrthogonalizationTestsOnSimulated : OrthogonalizationTests<Simulated>
{
    [Theory]
    [InlineData(6, 16)]
    [InlineData(16, 6)]
    public void InBf16_TheSingularValuesComeIntoTheBand(int rows, int columns)
    {
        var values = ReferenceOps.SingularValues(
            Orthogonalize(Values.Floats((long)rows * columns), rows, columns, DType.BF16), rows, columns);
        Assert.All(values, value => Assert.InRange(value, Lowest - 0.05, Highest + 0.05));
    }
}

/// <summary>
/// Newton-Schulz by its effect: singular values, computed in double precision, come near 1, and the directions stay.
/// </summary>
public abstract class OrthogonalizationTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    /// <summary>
    /// What five iterations make of any singular value that is at least <see cref="Reached"/> of the Frobenius norm: no
    /// less and no more.
    /// </summary>
    protected const double Lowest = 0.68, Highest = 1.21, Reached = 0.002;

    /// <summary>Rows, columns, rank (0: full).</summary>
    [Theory]
    [InlineData(1, 1, 0)]
    [InlineData(1, 17, 0)]
    [InlineData(17, 1, 0)]
    [InlineData(2, 2, 0)]
    [InlineData(16, 16, 0)]
    [InlineData(8, 40, 0)]
    [InlineData(40, 8, 0)]
    [InlineData(20, 20, 3)]
    [InlineData(12, 30, 5)]
    [InlineData(30, 12, 1)]
    public void SingularValues_ComeIntoTheBand(int rows, int columns, int rank)
    {
        float[] matrix = Matrix(rows, columns, rank);
        double[] source = Array.ConvertAll(matrix, x => (double)x);
        double norm = Math.Sqrt(ReferenceOps.SumSquares(source));
        double[] before = [.. ReferenceOps.SingularValues(source, rows, columns).Select(s => s / norm)];

        double[] result = Orthogonalize(matrix, rows, columns, DType.F32);

        double[] after = ReferenceOps.SingularValues(result, rows, columns),
            expected = [.. before.Select(Polynomial).Order()];
        for (int i = 0; i < after.Length; i++)
        {
            Assert.True(Math.Abs(after[i] - expected[i]) <= 1e-3, $"singular value {i} of ({rows}, {columns}): "
                + $"{after[i]:R}, expected {expected[i]:R}");
        }

        int reached = before.Count(s => s >= Reached), inBand = after.Count(s => s is >= Lowest and <= Highest);
        Assert.True(reached >= (rank == 0 ? before.Length - 1 : rank), $"only {reached} of {before.Length} singular "
            + "values are large enough to tell anything");
        Assert.True(inBand >= reached, $"{inBand} singular values are in the band; expected {reached} or more of "
            + $"{string.Join(", ", after)}");
        int zeros = rank == 0 ? 0 : before.Length - rank;
        Assert.True(after.Take(zeros).All(s => s <= 1e-3), $"{zeros} singular values were zero; the smallest are now "
            + $"{string.Join(", ", after.Take(zeros))}");

        // Not only the values: the matrix itself, which has the source's directions.
        Compare.Close(
            "result", ReferenceOps.NewtonSchulz(source, rows, columns, 3.4445f, -4.775f, 2.0315f),
            Array.ConvertAll(result, x => (float)x), (rows, columns), 1e-3, 1);
    }

    [Fact]
    public void Zeros_StayZeros() =>
        Assert.All(Orthogonalize(new float[6 * 4], 6, 4, DType.F32), x => Assert.Equal(0, x));

    [Fact]
    public void TheSizeOfTheMatrix_DoesNotMatter()
    {
        float[] matrix = Values.Floats(5 * 9);
        double[] expected = Orthogonalize(matrix, 5, 9, DType.F32);
        Compare.Close(
            "large", expected,
            Array.ConvertAll(Orthogonalize(Array.ConvertAll(matrix, x => 1e6f * x), 5, 9, DType.F32), x => (float)x),
            (5, 9), 1e-4, 1);
        Compare.Close(
            "small", expected,
            Array.ConvertAll(Orthogonalize(Array.ConvertAll(matrix, x => 1e-3f * x), 5, 9, DType.F32), x => (float)x),
            (5, 9), 1e-3, 1);
    }

    /// <summary>The memory is planned for other shapes too, as where a model has several.</summary>
    protected double[] Orthogonalize(float[] matrix, int rows, int columns, DType type)
    {
        using var arena = new Arena(Backend, "Newton-Schulz");
        var iteration = new NewtonSchulz(arena, [(3, 50), (rows, columns), (50, 2)], type);
        arena.Allocate();
        Backend.Write(iteration.Input(rows, columns), matrix);
        return Array.ConvertAll(ModelRun.Read(iteration.Orthogonalize(rows, columns)), x => (double)x);
    }

    private float[] Matrix(int rows, int columns, int rank)
    {
        if (rank == 0)
            return Values.Floats((long)rows * columns);
        float[] left = Values.Floats((long)rows * rank), right = Values.Floats((long)rank * columns);
        return [.. Enumerable.Range(0, rows * columns)
            .Select(i => (float)Enumerable.Range(0, rank)
                .Sum(r => (double)left[i / columns * rank + r] * right[r * columns + i % columns]))];
    }

    private static double Polynomial(double x)
    {
        for (int i = 0; i < 5; i++)
            x = x * (3.4445 - 4.775 * x * x + 2.0315 * x * x * x * x);
        return x;
    }
}
