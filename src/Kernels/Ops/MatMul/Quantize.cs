namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// Rounds host floats to 8-bit weights: scale = max |x| / 127 over a block, value = x / scale to the nearest
    /// integer, ties to even. No weight is off by more than half of its block's scale.
    /// </summary>
    /// <param name="x">(N, K), row-major and finite.</param>
    /// <param name="y">(N, K); overwritten.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Quantize(ReadOnlySpan<float> x, QuantizedMatrix y)
    {
        int k = y.Rows == 0 ? 0 : x.Length / y.Rows;
        Check.That((long)y.Rows * k == x.Length, nameof(Quantize), $"{x.Length} floats into {y.Rows} rows.");
        CheckQuantized(nameof(Quantize), y, k);
        QuantizeCore(x, k, y);
    }

    private protected abstract void QuantizeCore(ReadOnlySpan<float> x, int k, QuantizedMatrix y);

    private static void CheckQuantized(string op, QuantizedMatrix weight, int k)
    {
        int blocks = (k + QuantizedMatrix.BlockSize - 1) / QuantizedMatrix.BlockSize;
        Check.Shape(op, weight.Values, (weight.Rows, blocks * QuantizedMatrix.BlockSize), DType.I8);
        Check.Shape(op, weight.Scales, (weight.Rows, blocks));
    }
}
