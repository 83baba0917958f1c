namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// Rotary position embedding, half-split as Hugging Face has it: with p = positions[b, t] and angle a = p *
    /// base^(-2i/D), y[i] = x[i] cos a - x[i + D/2] sin a and y[i + D/2] = x[i + D/2] cos a + x[i] sin a (J. Su et al.,
    /// "RoFormer", 2021).
    /// </summary>
    /// <param name="x">(B, T, H, D) F32 or BF16, D even; may be strided.</param>
    /// <param name="positions">(B, T) I32, each within the rows of <paramref name="table"/>.</param>
    /// <param name="table">(Tmax, D) F32: the cosines of the D/2 angles, then their sines; see
    /// <see cref="RopeTable"/>.</param>
    /// <param name="y">Shape and dtype of x; overwritten; may be strided and may be x itself.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void Rope(Tensor x, Tensor positions, Tensor table, Tensor y) =>
        Rotate(nameof(Rope), x, positions, table, y, inverse: false);

    /// <summary>Gradient of <see cref="Rope"/>: the rotation by the opposite angle.</summary>
    /// <param name="dy">(B, T, H, D) F32 or BF16; may be strided.</param>
    /// <param name="dx">Shape and dtype of dy; overwritten; may be strided and may be dy itself.</param>
    /// <exception cref="ArgumentException">The shapes do not match.</exception>
    public void RopeBackward(Tensor dy, Tensor positions, Tensor table, Tensor dx) =>
        Rotate(nameof(RopeBackward), dy, positions, table, dx, inverse: true);

    /// <summary>
    /// The table that <see cref="Rope"/> reads: (<paramref name="context"/>, <paramref name="headSize"/>), row-major.
    /// </summary>
    /// <param name="context">Tmax: number of positions.</param>
    /// <param name="headSize">D, even.</param>
    /// <param name="ropeBase">Base of the angles.</param>
    /// <param name="divisor">What positions are divided by (linear scaling); 1 for the positions themselves.</param>
    public static float[] RopeTable(int context, int headSize, double ropeBase, double divisor = 1)
    {
        int half = headSize / 2;
        var table = new float[context * headSize];
        for (int position = 0; position < context; position++)
        {
            for (int i = 0; i < half; i++)
            {
                double angle = position / divisor * Math.Pow(ropeBase, -2.0 * i / headSize);
                table[position * headSize + i] = (float)Math.Cos(angle);
                table[position * headSize + half + i] = (float)Math.Sin(angle);
            }
        }

        return table;
    }

    private protected abstract void RopeCore(Tensor x, Tensor positions, Tensor table, Tensor y, bool inverse);

    private void Rotate(string op, Tensor x, Tensor positions, Tensor table, Tensor y, bool inverse)
    {
        Check.That(x.Shape.Rank == 4
            && x.Shape[-1] % 2 == 0, op, $"x is {x.Shape}; expected (B, T, H, D) with an even D.");
        var dtype = Check.Floating(op, x, strided: true);
        Check.Shape(op, positions, (x.Shape[0], x.Shape[1]), DType.I32);
        Check.Shape(op, table, (table.Shape[0], x.Shape[-1]));
        Check.Shape(op, y, x.Shape, dtype, strided: true);
        RopeCore(x, positions, table, y, inverse);
    }
}
