using TinyLlm.Kernels.Gpu;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// Which chunks the threads of a group copy: every chunk of a tile once, none of outside of the operand.
/// </summary>
public sealed class TileCopyTests
{
    private const long Operand = 1L << 40;

    [Theory]
    [InlineData(128, 16, 0, 300, 200)]
    [InlineData(128, 16, 256, 300, 200)]
    [InlineData(256, 32, 0, 256, 64)]
    [InlineData(64, 16, 64, 72, 136)]
    public void KMajor_CoversTheTiles(int tileRows, int linesOfPass, int firstRow, int rows, int depth)
    {
        int firstDepth = 64;
        var copied = new HashSet<long>();
        for (int thread = 0; thread < 8 * linesOfPass; thread++)
        {
            TileCopy copy = TileCopy.KMajor(Operand, rows, depth, firstRow, firstDepth, depth, thread, linesOfPass);
            for (int tile = 0; firstDepth + 64 * tile < depth; tile++)
                for (int line = 0; line < tileRows; line += linesOfPass)
                    if (line < copy.Extent && 64 * tile < copy.Depth)
                    {
                        Assert.True(
                            copied.Add(copy.Address + tile * copy.TileStep + line / linesOfPass * copy.LineStep));
                    }
        }

        var wanted = from row in Enumerable.Range(firstRow, Math.Min(tileRows, rows - firstRow))
                     from k in Enumerable.Range(firstDepth, depth - firstDepth)
                     where k % 8 == 0
                     select Operand + 2L * ((long)row * depth + k);
        Assert.Equal(wanted, copied.Order());
    }

    [Theory]
    [InlineData(128, 16, 0, 304, 200)]
    [InlineData(128, 16, 256, 304, 201)]
    [InlineData(256, 32, 0, 256, 64)]
    [InlineData(64, 16, 64, 72, 131)]
    public void MnMajor_CoversTheTiles(int tileRows, int linesOfPass, int firstRow, int rows, int depth)
    {
        int firstDepth = 64;
        var copied = new HashSet<long>();
        for (int thread = 0; thread < 8 * linesOfPass; thread++)
        {
            TileCopy copy = TileCopy.MnMajor(Operand, rows, firstRow, firstDepth, depth, thread, linesOfPass);
            for (int tile = 0; firstDepth + 64 * tile < depth; tile++)
                for (int panel = 0; panel < tileRows; panel += 64)
                    for (int line = 0; line < 64; line += linesOfPass)
                        if (panel < copy.Extent && 64 * tile + line < copy.Depth)
                        {
                            Assert.True(
                                copied.Add(copy.Address + 2 * panel + tile * copy.TileStep
                                + line / linesOfPass * copy.LineStep));
                        }
        }

        var wanted = from k in Enumerable.Range(firstDepth, depth - firstDepth)
                     from row in Enumerable.Range(firstRow, Math.Min(tileRows, rows - firstRow))
                     where row % 8 == 0
                     select Operand + 2L * ((long)k * rows + row);
        Assert.Equal(wanted, copied.Order());
    }

    [Fact]
    public void Addresses_PassFourGigabytes()
    {
        TileCopy copy = TileCopy.KMajor(0, 1 << 20, 1 << 15, (1 << 20) - 128, 0, 1 << 15, 0, 16);
        Assert.Equal(2L * ((1 << 20) - 128) * (1 << 15), copy.Address);
        TileCopy other = TileCopy.MnMajor(0, 1 << 15, 0, (1 << 20) - 64, 1 << 20, 0, 16);
        Assert.Equal(2L * ((1 << 20) - 64) * (1 << 15), other.Address);
    }
}
