namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// A matrix as the copy engine of compute capability 9.0 knows it: 128 bytes that the driver makes
/// (<see cref="ITensorMaps"/>), a kernel's parameter. Inline PTX names the address of a parameter x as <c>param_x</c>
/// (<see cref="CudaFunction"/>).
/// </summary>
internal unsafe struct TensorMap
{
    /// <summary>Its size in argument slots of 8 bytes.</summary>
    public const int Slots = 16;

    /// <summary>
    /// Rows and columns of the boxes that are copied: a line of <see cref="SharedTile"/> and as many of them.
    /// </summary>
    public const int Box = SharedTile.Depth;

    private fixed long words[Slots];
}

/// <summary>Who makes <see cref="TensorMap"/>s.</summary>
internal interface ITensorMaps
{
    /// <summary>
    /// Describes a row-major bf16 matrix, of which boxes are copied in the 128-byte swizzle; beyond its ends come
    /// zeros.
    /// </summary>
    /// <param name="map">Where the description goes.</param>
    /// <param name="matrix">Address on the device, a multiple of 16.</param>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="columns">Columns of it, a multiple of 8.</param>
    void Describe(Span<long> map, long matrix, int rows, int columns);
}
