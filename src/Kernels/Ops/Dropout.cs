namespace TinyLlm.Kernels;

public abstract partial class Backend
{
    /// <summary>
    /// y[i] = x[i] / (1 - p) with probability 1 - p, else 0 (N. Srivastava et al., 2014). The mask is a function of the
    /// step state, the site and i, so the same call on dy gives dx: no mask is stored and there is no backward op.
    /// </summary>
    /// <remarks>
    /// Element i of micro-batch m is number n = m * Count + i; it takes word n % 4 of Philox at counter (n / 4 low, n /
    /// 4 high, site, step) under the key (seed low, seed high), and is kept where word &gt;= p * 2^32. So the mask of a
    /// large batch is that of its micro-batches, one after another.
    /// </remarks>
    /// <param name="x">F32 or BF16, any shape.</param>
    /// <param name="y">Shape and dtype of x; overwritten; may be x itself.</param>
    /// <param name="probability">p, at least 0 and less than 1.</param>
    /// <param name="state">The buffer of <see cref="StepState"/>.</param>
    /// <param name="site">Number of the place in the model: a different one for each use.</param>
    /// <exception cref="ArgumentException">The shapes do not match or p is out of range.</exception>
    public void Dropout(Tensor x, Tensor y, float probability, Tensor state, int site)
    {
        Check.Shape(nameof(Dropout), y, x.Shape, Check.Floating(nameof(Dropout), x));
        Check.Shape(nameof(Dropout), state, StepState.Size, DType.I32);
        Check.That(probability is >= 0 and < 1, nameof(Dropout),
            $"the probability is {probability}; expected 0 or more and less than 1.");
        DropoutCore(x, y, probability, state, site);
    }

    private protected abstract void DropoutCore(Tensor x, Tensor y, float probability, Tensor state, int site);
}

/// <summary>
/// What becomes of an element that draws a random word, as <see cref="Backend.Dropout"/> defines it: the same on every
/// device.
/// </summary>
internal readonly struct DropoutRule(float probability)
{
    /// <summary>p 2^32, rounded up: what draws less is dropped.</summary>
    public readonly uint Threshold = (uint)Math.Ceiling(probability * 4294967296.0);

    /// <summary>1 / (1 - p).</summary>
    public readonly float Kept = 1 / (1 - probability);

    /// <summary>The factor 0 or 1 / (1 - p).</summary>
    public float Factor(uint word) => word >= Threshold ? Kept : 0;
}
