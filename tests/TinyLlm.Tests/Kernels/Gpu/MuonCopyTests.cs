using TinyLlm.Kernels;
using TinyLlm.Kernels.Gpu;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// What only GPUs have: the BF16 copy of the parameters, and a direction in BF16; the rest of Muon is in
/// Ops/MuonTests.cs.
/// </summary>
public abstract class MuonCopyTests<TDevice> : BackendTests<TDevice> where TDevice : IDevice
{
    [Theory]
    [InlineData(1)]
    [InlineData(300)]
    public void Step_RoundsTheUpdatedParameters(int count)
    {
        TestTensor rounded = Random(count, dtype: DType.BF16), direction = Of(count, rounded.Floats());
        TestTensor p = Random(count), copied = Of(count, p.Floats()), copy = Output(count, DType.BF16),
            sumSquares = Of(1, [4]), state = State();

        Run(() => Backend.MuonStep(p, direction, sumSquares, state, 2, 3, 0.1f), p);
        Run(() => Backend.MuonStep(copied, rounded, sumSquares, state, 2, 3, 0.1f, copy), copied, copy);

        Compare.SameBits("parameters", p.Floats(), copied.Floats());
        Compare.SameBits("copy", p.Floats().Select(BFloat16.Round).ToArray(), copy.Floats());
    }

    [Fact]
    public void NotFiniteNorm_ChangesNothing()
    {
        TestTensor p = Random(100), direction = Random(100), sumSquares = Of(1, float.NaN), state = State(),
            copy = Random(100, dtype: DType.BF16);
        Run(() => Backend.MuonStep(p, direction, sumSquares, state, 1, 1, 0.1f, copy));
    }
}
