namespace TinyLlm.Kernels;

/// <summary>
/// A matrix of weights (N, K) as 8-bit integers: element (n, k) is values[n, k] scales[n, k / 64]. Each 64 neighbours
/// of a row share a scale, the largest magnitude of them over 127, so that one large weight costs its neighbours alone
/// their precision. It takes 1.0625 bytes a weight.
/// </summary>
/// <param name="Values">(N, K rounded up to whole blocks) I8 in [-127, 127]; what is behind K is zero.</param>
/// <param name="Scales">(N, blocks of a row) F32.</param>
public readonly record struct QuantizedMatrix(Tensor Values, Tensor Scales)
{
    /// <summary>Weights of a row that share a scale.</summary>
    public const int BlockSize = 64;

    /// <summary>Number of rows.</summary>
    public int Rows => Values.Shape[0];

    /// <summary>Blocks of a row.</summary>
    public int Blocks => Scales.Shape[1];

    /// <summary>Plans a matrix of a shape (N, K) in <paramref name="arena"/>.</summary>
    /// <exception cref="TinyLlmException">The backend has no 8-bit weights.</exception>
    public static QuantizedMatrix Plan(Arena arena, string name, Shape shape)
    {
        int blocks = (shape[1] + BlockSize - 1) / BlockSize;
        return new QuantizedMatrix(
            arena.Add(name, (shape[0], blocks * BlockSize), DType.I8), arena.Add(name + ".scales", (shape[0], blocks)));
    }
}
