namespace TinyLlm.Kernels;

/// <summary>
/// A non-owning view of memory on a backend: where it starts, its shape, its strides and its element type. The memory
/// belongs to an <see cref="Arena"/>. Copying a tensor copies the view, not the elements, and allocates nothing.
/// </summary>
/// <remarks>
/// The last dimension is always contiguous. The others may be strided, which is how the query rows of a stacked (B, T,
/// Hq + 2 Hkv, D) projection, or the filled part of a key-value cache, are named without a copy. Each op says which
/// arguments may be strided.
/// </remarks>
public readonly struct Tensor
{
    private readonly Shape strides;

    internal Tensor(Storage storage, long offset, Shape shape, DType dtype)
        : this(storage, offset, shape, ContiguousStrides(shape), dtype) { }

    private Tensor(Storage storage, long offset, Shape shape, Shape strides, DType dtype)
    {
        Storage = storage;
        Offset = offset;
        Shape = shape;
        this.strides = strides;
        DType = dtype;
    }

    /// <summary>The memory that this is a view of.</summary>
    public Storage Storage { get; }

    /// <summary>Place of the first element in <see cref="Storage"/>, in elements.</summary>
    public long Offset { get; }

    /// <summary>The sizes.</summary>
    public Shape Shape { get; }

    /// <summary>The element type.</summary>
    public DType DType { get; }

    /// <summary>Number of elements.</summary>
    public long Count => Shape.Count;

    /// <summary>
    /// Distance between neighbours along <paramref name="dimension"/>, in elements; negative dimensions count from the
    /// end.
    /// </summary>
    public int Stride(int dimension) => strides[dimension];

    /// <summary>Whether the elements lie without gaps, in row-major order.</summary>
    public bool IsContiguous
    {
        get
        {
            int expected = 1;
            for (int i = Shape.Rank - 1; i >= 0; i--)
            {
                if (Shape[i] != 1 && strides[i] != expected)
                    return false;
                expected *= Math.Max(Shape[i], 1);
            }

            return true;
        }
    }

    /// <summary>The same elements in another shape. Only for contiguous tensors.</summary>
    /// <exception cref="ArgumentException">The tensor is strided or the number of elements differs.</exception>
    public Tensor View(Shape shape)
    {
        if (!IsContiguous || shape.Count != Count)
        {
            throw new ArgumentException(
                $"View: {Shape}{(IsContiguous ? "" : " (strided)")} cannot be seen as {shape}.");
        }

        return new Tensor(Storage, Offset, shape, DType);
    }

    /// <summary>
    /// The elements <paramref name="start"/> to <paramref name="start"/> + <paramref name="length"/> - 1 of one
    /// dimension.
    /// </summary>
    /// <exception cref="ArgumentException">The range is not within the dimension.</exception>
    public Tensor Slice(int dimension, int start, int length)
    {
        if (start < 0 || length < 0 || start + (long)length > Shape[dimension])
        {
            throw new ArgumentException(
                $"Slice: {start} to {start + (long)length} is not within dimension {dimension} of {Shape}.");
        }

        Span<int> sizes = stackalloc int[Shape.Rank];
        for (int i = 0; i < sizes.Length; i++)
            sizes[i] = i == dimension ? length : Shape[i];
        return new Tensor(Storage, Offset + (long)start * strides[dimension], new Shape(sizes), strides, DType);
    }

    /// <summary>
    /// Splits the last dimension in two: (..., A * B) becomes (..., A, B), without a copy, strided or not.
    /// </summary>
    /// <exception cref="ArgumentException"><paramref name="inner"/> does not divide the last dimension, or the rank
    /// would pass four.</exception>
    public Tensor SplitLast(int inner)
    {
        int rank = Shape.Rank, last = Shape[-1];
        if (rank == Shape.MaxRank || inner <= 0 || last % inner != 0)
        {
            throw new ArgumentException(
                $"SplitLast: the last dimension of {Shape} cannot be split into rows of {inner}.");
        }

        Span<int> sizes = stackalloc int[rank + 1];
        Span<int> steps = stackalloc int[rank + 1];
        for (int i = 0; i < rank; i++)
            (sizes[i], steps[i]) = (Shape[i], strides[i]);
        (sizes[rank - 1], steps[rank - 1]) = (last / inner, inner);
        (sizes[rank], steps[rank]) = (inner, 1);
        return new Tensor(Storage, Offset, new Shape(sizes), new Shape(steps), DType);
    }

    /// <summary>Shape and type, for messages.</summary>
    public override string ToString() => $"{DType}{Shape}";

    private static Shape ContiguousStrides(Shape shape)
    {
        Span<int> steps = stackalloc int[shape.Rank];
        int step = 1;
        for (int i = shape.Rank - 1; i >= 0; i--)
        {
            steps[i] = step;
            step = checked(step * Math.Max(shape[i], 1));
        }

        return new Shape(steps);
    }
}
