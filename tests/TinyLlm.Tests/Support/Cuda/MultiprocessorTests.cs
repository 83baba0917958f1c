using Xunit;

namespace TinyLlm.Tests.Support.Cuda;

/// <summary>
/// Resident warps against the values of NVIDIA's own occupancy calculator, with the largest share of shared memory.
/// </summary>
public sealed class MultiprocessorTests
{
    [Theory]
    [InlineData(256, 32, 0, 64, 64)]
    [InlineData(256, 33, 0, 48, 48)]
    [InlineData(256, 40, 0, 48, 48)]
    [InlineData(384, 168, 0, 12, 12)]
    [InlineData(64, 255, 0, 8, 8)]
    [InlineData(1024, 64, 0, 32, 32)]
    [InlineData(1024, 65, 0, 0, 0)]
    [InlineData(100, 30, 0, 64, 64)]
    [InlineData(32, 16, 0, 32, 32)]
    [InlineData(1, 1, 0, 32, 32)]
    [InlineData(128, 32, 40 * 1024, 16, 20)]
    [InlineData(128, 32, 40 * 1024 + 1, 12, 20)]
    [InlineData(256, 128, 99 * 1024, 8, 16)]
    [InlineData(256, 128, 163 * 1024, 8, 8)]
    [InlineData(256, 128, 163 * 1024 + 1, 0, 8)]
    [InlineData(256, 96, 227 * 1024, 0, 8)]
    [InlineData(256, 96, 227 * 1024 + 1, 0, 0)]
    [InlineData(1056, 16, 0, 0, 0)]
    public void ResidentWarps_AreTheCalculators(int threads, int registers, int sharedBytes, int sm80, int sm90)
    {
        Assert.Equal(sm80, Multiprocessor.Sm80.ResidentWarps(threads, registers, sharedBytes));
        Assert.Equal(sm90, Multiprocessor.Sm90.ResidentWarps(threads, registers, sharedBytes));
    }
}
