namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Places of the rows (all sizes but the last) of a tensor that may be strided, counted from its first element: an
/// argument of kernels.
/// </summary>
internal readonly struct Rows
{
    private readonly int size1, size2, stride0, stride1, stride2;
    private readonly Divisor divisor1, divisor2;

    private Rows(int size1, int size2, int stride0, int stride1, int stride2)
    {
        (this.size1, this.size2) = (size1, size2);
        (this.stride0, this.stride1, this.stride2) = (stride0, stride1, stride2);
        (divisor1, divisor2) = (new Divisor(Math.Max(size1, 1)), new Divisor(Math.Max(size2, 1)));
    }

    public static Rows Of(Tensor x)
    {
        // A contiguous tensor is one dimension of rows, whatever its rank; and so are the tokens of a batch of heads,
        // mostly.
        if (x.IsContiguous)
            return new Rows(1, int.MaxValue, 0, 0, x.Shape[-1]);
        return x.Shape.Rank switch
        {
            4 when x.Stride(0) == x.Shape[1] * (long)x.Stride(1) =>
                new Rows(int.MaxValue, x.Shape[2], 0, x.Stride(1), x.Stride(2)),
            4 => new Rows(x.Shape[1], x.Shape[2], x.Stride(0), x.Stride(1), x.Stride(2)),
            3 => new Rows(int.MaxValue, x.Shape[1], 0, x.Stride(0), x.Stride(1)),
            _ => new Rows(1, int.MaxValue, 0, 0, x.Stride(0)),
        };
    }

    /// <summary>Place of the first element of row <paramref name="row"/>.</summary>
    public int At(int row)
    {
        if (row < size2)
            return row * stride2;
        int outer = divisor2.Quotient(row), outermost = divisor1.Quotient(outer);
        return (row - outer * size2) * stride2 + (outer - outermost * size1) * stride1 + outermost * stride0;
    }
}
