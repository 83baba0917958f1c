using ILGPU;

namespace TinyLlm.Kernels.Gpu;

/// <summary>
/// The mask of one site, as <see cref="Backend.Dropout"/> defines it: an argument of kernels. What changes from step to
/// step they read on the device, in the step state.
/// </summary>
/// <param name="probability">Chance that an element is dropped.</param>
/// <param name="site">Number of the site.</param>
/// <param name="count">Elements of a micro-batch.</param>
internal readonly struct DropoutMask(float probability, int site, long count)
{
    private readonly DropoutRule rule = new(probability);
    private readonly uint site = (uint)site;
    private readonly long count = count;

    /// <summary>Number of a micro-batch's first element.</summary>
    public ulong Start(ArrayView<int> state) => (ulong)((uint)state[StepState.MicroStep] * count);

    /// <summary>
    /// Factors 0 or 1 / (1 - p) of the elements with the numbers 4 <paramref name="block"/> to 4
    /// <paramref name="block"/> + 3, which share a draw.
    /// </summary>
    public Float4 Factors(ArrayView<int> state, ulong block)
    {
        uint x0 = (uint)block, x1 = (uint)(block >> 32), x2 = site, x3 = (uint)state[StepState.Step];
        Philox.Next(ref x0, ref x1, ref x2, ref x3, (uint)state[StepState.SeedLow], (uint)state[StepState.SeedHigh]);
        return new Float4(rule.Factor(x0), rule.Factor(x1), rule.Factor(x2), rule.Factor(x3));
    }

    /// <summary>
    /// The factors of four elements in a row, from number <paramref name="first"/> on, wherever their draws begin.
    /// </summary>
    public Float4 FactorsFrom(ArrayView<int> state, ulong first)
    {
        ulong block = first / 4;
        int skipped = (int)(first % 4);
        Float4 a = Factors(state, block);
        if (skipped == 0)
            return a;
        Float4 b = Factors(state, block + 1);
        return skipped == 1 ? new Float4(a.Y, a.Z, a.W, b.X) : skipped == 2 ? new Float4(a.Z, a.W, b.X, b.Y)
            : new Float4(a.W, b.X, b.Y, b.Z);
    }
}
