using TinyLlm.Kernels;
using TinyLlm.Kernels.Gpu;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>The BF16 copy of the parameters, which only GPUs keep; the rest of AdamW is in Ops/AdamWTests.cs.</summary>
public abstract class AdamWCopyTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    private static readonly AdamWSettings settings = new(0.9f, 0.95f, 1e-8f, 0.1f, 1);

    [Theory]
    [InlineData(1)]
    [InlineData(300)]
    public void Forward_RoundsTheUpdatedParameters(int count)
    {
        TestTensor p = Random(count), copied = Of(count, p.Floats()), copy = Output(count, DType.BF16),
            sumSquares = Of(1, [4]), state = State();
        TestTensor g = Random(count), m = Random(count), v = Random(count, mean: 9), m2 = Of(count, m.Floats()),
            v2 = Of(count, v.Floats());

        Run(() => Backend.AdamW(p, g, m, v, sumSquares, state, settings), p, m, v);
        Run(() => Backend.AdamW(copied, g, m2, v2, sumSquares, state, settings, copy), copied, m2, v2, copy);

        Compare.SameBits("parameters", p.Floats(), copied.Floats());
        Compare.SameBits("copy", p.Floats().Select(BFloat16.Round).ToArray(), copy.Floats());
    }

    [Fact]
    public void NotFiniteNorm_ChangesNothing()
    {
        TestTensor p = Random(100), g = Random(100), m = Random(100), v = Random(100, mean: 9),
            sumSquares = Of(1, float.NaN), state = State(), copy = Random(100, dtype: DType.BF16);
        Run(() => Backend.AdamW(p, g, m, v, sumSquares, state, settings, copy));
    }
}
