using TinyLlm.Kernels;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Ops;

public abstract class AddScaledTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 31)]
    [InlineData(3, 64)]
    [InlineData(700, 5)]
    public void ScalesAndAdds(int rows, int c)
    {
        TestTensor x = Random((rows, c)), y = Random((rows, c)), scaled = Output((rows, c));
        double[] expected = [.. x.Doubles().Zip(y.Doubles(), (u, v) => v + 0.75 * u)];
        Run(() => Backend.AddScaled(x, 0.75f, y, accumulate: true), y);
        Close("y", expected, y, 1e-7);
        Run(() => Backend.AddScaled(x, -2, scaled, accumulate: false), scaled);
        Close("scaled", [.. x.Doubles().Select(u => -2 * u)], scaled, 0);
    }

    /// <summary>Some columns of stacked rows, aligned and not: nothing beside them is written.</summary>
    [Theory]
    [InlineData(3, 8, 4, 24)]
    [InlineData(5, 7, 2, 13)]
    public void WorksOnColumnsOfStackedRows(int rows, int c, int first, int stacked)
    {
        if (!SupportsBf16())
            CheckColumns(rows, c, first, stacked, DType.F32, 1e-7);
        else
            foreach (var (dtype, tolerance) in (ReadOnlySpan<(DType, double)>)[(DType.F32, 1e-7), (DType.BF16, 4e-3)])
                CheckColumns(rows, c, first, stacked, dtype, tolerance);
    }

    private bool SupportsBf16() => Backend.Supports(DType.BF16);

    private void CheckColumns(int rows, int c, int first, int stacked, DType dtype, double tolerance)
    {
        TestTensor x = Random((rows, c), dtype: dtype), y = Random((rows, stacked), dtype: dtype).Slice(1, first, c);
        double[] expected = [.. x.Doubles().Zip(y.Doubles(), (u, v) => v + 0.5 * u)];
        Run(() => Backend.AddScaled(x, 0.5f, y, accumulate: true), y);
        Close($"columns, {dtype}", expected, y, tolerance);
        double[] source = y.Doubles();
        Run(() => Backend.AddScaled(y, 4, x, accumulate: false), x);
        Close($"from columns, {dtype}", [.. source.Select(u => 4 * u)], x, tolerance);
    }
}
