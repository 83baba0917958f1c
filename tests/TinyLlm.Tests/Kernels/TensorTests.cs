using TinyLlm.Kernels;
using Xunit;

namespace TinyLlm.Tests.Kernels;

public sealed class TensorTests : IDisposable
{
    private readonly Backend backend = Backend.Create("cpu", 1);

    public void Dispose() => backend.Dispose();

    [Fact]
    public void Slice_StartsAtItsPlaceAndKeepsTheStrides()
    {
        var q = New(2, 3, 8, 4).Slice(2, 5, 2);
        Assert.Equal(new Shape(2, 3, 2, 4), q.Shape);
        Assert.Equal(20, q.Offset);
        Assert.Equal([96, 32, 4, 1], Enumerable.Range(0, 4).Select(q.Stride));
        Assert.False(q.IsContiguous);
        Assert.True(New(2, 3).Slice(0, 1, 1).IsContiguous);
        Assert.True(New(1, 3, 4).Slice(1, 1, 2).IsContiguous);
        Assert.Throws<ArgumentException>(() => New(2, 3).Slice(1, 2, 2));
        Assert.Throws<ArgumentException>(() => New(2, 3).Slice(1, -1, 1));
    }

    [Fact]
    public void SplitLast_SplitsStridedTensorsToo()
    {
        var heads = New(2, 3, 24).Slice(2, 8, 8).SplitLast(4);
        Assert.Equal(new Shape(2, 3, 2, 4), heads.Shape);
        Assert.Equal([72, 24, 4, 1], Enumerable.Range(0, 4).Select(heads.Stride));
        Assert.Throws<ArgumentException>(() => New(2, 6).SplitLast(4));
        Assert.Throws<ArgumentException>(() => New(1, 1, 1, 6).SplitLast(3));
    }

    [Fact]
    public void View_NeedsContiguousElementsOfTheSameNumber()
    {
        Assert.Equal(new Shape(6, 4), New(2, 3, 4).View((6, 4)).Shape);
        Assert.Equal(
            "View: (2, 3) cannot be seen as (7).", Assert.Throws<ArgumentException>(() => New(2, 3).View(7)).Message);
        Assert.Equal(
            "View: (2, 2) (strided) cannot be seen as (4).",
            Assert.Throws<ArgumentException>(() => New(2, 3).Slice(1, 0, 2).View(4)).Message);
    }

    [Fact]
    public void Shape_ComparesSizesAndRank()
    {
        Assert.True(new Shape(2, 3) == (2, 3));
        Assert.True(new Shape(2, 3) != (3, 2));
        Assert.True(new Shape(2, 3) != (2, 3, 1));
        Assert.Equal("(2, 3)", new Shape(2, 3).ToString());
        Assert.Equal(24, new Shape(2, 3, 4).Count);
        Assert.Equal(6, new Shape(2, 3, 4).Rows);
        Assert.Equal(1, new Shape(5).Rows);
        Assert.Equal(3, new Shape(2, 3)[-1]);
        Assert.Throws<ArgumentException>(() => new Shape(1, 2, 3, 4, 5));
        Assert.Throws<ArgumentException>(() => new Shape(2, -1));
        Assert.Throws<OverflowException>(() => new Shape(int.MaxValue, int.MaxValue, int.MaxValue).Count);
    }

    private Tensor New(params ReadOnlySpan<int> sizes) => new(backend.CreateStorage(), 0, new Shape(sizes), DType.F32);
}
