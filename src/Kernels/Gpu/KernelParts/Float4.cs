namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// Four floats that a kernel holds in registers and loads at once: arrays of a kernel's own lie in slow memory.
/// </summary>
internal readonly struct Float4(float x, float y, float z, float w)
{
    public float X { get; } = x;

    public float Y { get; } = y;

    public float Z { get; } = z;

    public float W { get; } = w;

    /// <summary>The sum of the four.</summary>
    public float Sum => X + Y + (Z + W);

    /// <summary>The first <paramref name="count"/> of the four, and zeros in place of the others.</summary>
    public Float4 First(int count) => new(X, count > 1 ? Y : 0, count > 2 ? Z : 0, count > 3 ? W : 0);

    public static Float4 operator +(Float4 a, Float4 b) => new(a.X + b.X, a.Y + b.Y, a.Z + b.Z, a.W + b.W);

    public static Float4 operator +(Float4 a, float b) => new(a.X + b, a.Y + b, a.Z + b, a.W + b);

    public static Float4 operator -(Float4 a, Float4 b) => new(a.X - b.X, a.Y - b.Y, a.Z - b.Z, a.W - b.W);

    public static Float4 operator -(Float4 a, float b) => new(a.X - b, a.Y - b, a.Z - b, a.W - b);

    public static Float4 operator *(Float4 a, Float4 b) => new(a.X * b.X, a.Y * b.Y, a.Z * b.Z, a.W * b.W);

    public static Float4 operator *(Float4 a, float b) => new(a.X * b, a.Y * b, a.Z * b, a.W * b);

    /// <summary>This + <paramref name="factor"/> * <paramref name="other"/>.</summary>
    public Float4 PlusProduct(float factor, Float4 other) =>
        new(X + factor * other.X, Y + factor * other.Y, Z + factor * other.Z, W + factor * other.W);
}

/// <summary>4 x 4 floats in registers.</summary>
internal readonly struct Float4x4(Float4 x, Float4 y, Float4 z, Float4 w)
{
    public Float4 X { get; } = x;

    public Float4 Y { get; } = y;

    public Float4 Z { get; } = z;

    public Float4 W { get; } = w;

    /// <summary>This + the outer product of a column and a row.</summary>
    public Float4x4 PlusProduct(Float4 column, Float4 row) =>
        new(X.PlusProduct(column.X, row), Y.PlusProduct(column.Y, row), Z.PlusProduct(column.Z, row),
            W.PlusProduct(column.W, row));
}
