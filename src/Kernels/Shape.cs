using System.Runtime.CompilerServices;

namespace TinyLlm.Kernels;

/// <summary>Sizes of a tensor, one to four dimensions, row-major: the last dimension is the contiguous one.</summary>
/// <remarks>A value type of fixed size, so that views can be made in the training loop without allocating.</remarks>
public readonly struct Shape : IEquatable<Shape>
{
    /// <summary>The most dimensions that a tensor has: (B, T, H, D).</summary>
    public const int MaxRank = 4;

    private readonly Sizes sizes;

    [InlineArray(MaxRank)]
    private struct Sizes
    {
        private int first;
    }

    /// <summary>Creates a shape from one to four sizes, none of them negative.</summary>
    /// <exception cref="ArgumentException">No size, more than four, or a negative one.</exception>
    public Shape(params ReadOnlySpan<int> sizes)
    {
        if (sizes.Length is 0 or > MaxRank)
        {
            throw new ArgumentException(
                $"Shape: {sizes.Length} dimensions; a tensor has 1 to {MaxRank}.", nameof(sizes));
        }

        Rank = sizes.Length;
        for (int i = 0; i < sizes.Length; i++)
        {
            if (sizes[i] < 0)
                throw new ArgumentException($"Shape: size {sizes[i]} of dimension {i} is negative.", nameof(sizes));
            this.sizes[i] = sizes[i];
        }
    }

    /// <summary>How many dimensions there are.</summary>
    public int Rank { get; }

    /// <summary>
    /// Size of dimension <paramref name="dimension"/>; negative ones count from the end (-1 is the last).
    /// </summary>
    public int this[int dimension] => sizes[dimension < 0 ? Rank + dimension : dimension];

    /// <summary>Number of elements: the product of the sizes.</summary>
    public long Count
    {
        get
        {
            long count = 1;
            for (int i = 0; i < Rank; i++)
                count = checked(count * sizes[i]);
            return count;
        }
    }

    /// <summary>Number of rows: the product of all sizes but the last.</summary>
    public int Rows
    {
        get
        {
            int rows = 1;
            for (int i = 0; i < Rank - 1; i++)
                rows = checked(rows * sizes[i]);
            return rows;
        }
    }

    /// <summary>Makes a one-dimensional shape.</summary>
    public static implicit operator Shape(int n) => new(n);

    /// <summary>Makes a two-dimensional shape.</summary>
    public static implicit operator Shape((int, int) s) => new(s.Item1, s.Item2);

    /// <summary>Makes a three-dimensional shape.</summary>
    public static implicit operator Shape((int, int, int) s) => new(s.Item1, s.Item2, s.Item3);

    /// <summary>Makes a four-dimensional shape.</summary>
    public static implicit operator Shape((int, int, int, int) s) => new(s.Item1, s.Item2, s.Item3, s.Item4);

    /// <summary>Whether both have the same sizes in the same order.</summary>
    public static bool operator ==(Shape a, Shape b) => a.Equals(b);

    /// <summary>Whether any size differs.</summary>
    public static bool operator !=(Shape a, Shape b) => !a.Equals(b);

    /// <inheritdoc/>
    public bool Equals(Shape other) => Rank == other.Rank && ((ReadOnlySpan<int>)sizes).SequenceEqual(other.sizes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, sizes[0], sizes[1], sizes[2], sizes[3]);

    /// <summary>The sizes as the field writes them, for example "(8, 64)".</summary>
    public override string ToString() => $"({string.Join(", ", ((ReadOnlySpan<int>)sizes)[..Rank].ToArray())})";
}
