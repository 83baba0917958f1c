using TinyLlm.Kernels.Gpu;
using Xunit;

namespace TinyLlm.Tests.Kernels.Gpu;

/// <summary>
/// The arithmetic of shared memory and fragments, on the host: every element has its place once, banks never collide,
/// and lanes get what <c>mma</c> wants.
/// </summary>
public sealed class SharedTileTests
{
    private const int Rows = 128;
    private const int ChunkBytes = 16;

    [Fact]
    public void Offset_GivesEveryChunkAPlaceOfItsOwn()
    {
        var places = new HashSet<int>();
        for (int line = 0; line < Rows; line++)
            for (int chunk = 0; chunk < SharedTile.LineChunks; chunk++)
                Assert.True(places.Add(SharedTile.Offset(line, chunk)));
        Assert.All(places,
            place => Assert.True(place % ChunkBytes == 0 && place is >= 0 and < Rows * SharedTile.LineBytes));
    }

    [Fact]
    public void Copies_MeetNoBankTwice()
    {
        for (int thread = 0; thread < 256; thread += 8)
        {
            AssertDistinctBanks(
                Enumerable.Range(thread, 8)
                .Select(t => SharedTile.Offset(t / SharedTile.LineChunks, t % SharedTile.LineChunks)), ChunkBytes);
        }
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void Fragments_MeetNoBankTwice(bool kMajor, bool isB)
    {
        for (int row = 0; row < Rows; row += 16)
            for (int lane = 0; lane < 32; lane += 8)
            {
                AssertDistinctBanks(
                    Enumerable.Range(lane, 8).Select(i => SharedTile.FragmentOffset(kMajor, isB, row, i)), ChunkBytes);
            }
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void Fragments_HoldWhatTheTensorCoresWant(bool kMajor, bool isB)
    {
        for (int row = 0; row < Rows; row += 16)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                for (int register = 0; register < 4; register++)
                {
                    int eightRows = isB ? register / 2 : register % 2, eightDeep = isB ? register % 2 : register / 2;
                    int wantedRow = row + 8 * eightRows + lane / 4, wantedDepth = 8 * eightDeep + lane % 4 * 2;
                    Assert.Equal((wantedRow, wantedDepth), Loaded(kMajor, isB, row, lane, register, 0));
                    Assert.Equal((wantedRow, wantedDepth + 1), Loaded(kMajor, isB, row, lane, register, 1));
                }
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Fragments_FurtherOnLieWhereTheRemarksSay(bool isB)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            for (int first = 0; first < Rows; first += 64)
            {
                int kMajor = SharedTile.FragmentOffset(true, isB, first, lane),
                    mnMajor = SharedTile.FragmentOffset(false, isB, first, lane);
                for (int i = 0; i < 4; i++)
                {
                    Assert.Equal(kMajor + 2048 * i, SharedTile.FragmentOffset(true, isB, first + 16 * i, lane));
                    Assert.Equal(mnMajor ^ (32 * i), SharedTile.FragmentOffset(false, isB, first + 16 * i, lane));
                    Assert.Equal(
                        Element(true, kMajor),
                        (Element(true, kMajor ^ (32 * i)).Row, Element(true, kMajor ^ (32 * i)).Depth - 16 * i));
                    Assert.Equal(
                        Element(false, mnMajor),
                        (Element(false, mnMajor + 2048 * i).Row, Element(false, mnMajor + 2048 * i).Depth - 16 * i));
                }
            }
        }
    }

    [Theory]
    [InlineData(32, 32)]
    [InlineData(64, 64)]
    public void Sums_HaveAPlaceOfTheirOwn(int rows, int width)
    {
        var places = new HashSet<int>();
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < width; column++)
                Assert.True(places.Add(SharedTile.SumOffset(width, row, column)));
        Assert.All(places, place => Assert.True(place % 4 == 0 && place >= 0 && place < rows * width * 4));
    }

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public void Sums_MeetNoBankTwice(int width)
    {
        for (int column = 0; column < width; column += 8)
            for (int half = 0; half < 32; half += 16) // 8-byte stores go half a warp at a time
            {
                AssertDistinctBanks(
                    Enumerable.Range(half, 16)
                    .Select(lane =>
                        SharedTile.SumOffset(width, SharedTile.SumRow(lane), column + SharedTile.SumColumn(lane))), 8);
            }

        int lanesOfRow = width / 8;
        for (int row = 0; row < 32; row += 32 / lanesOfRow)
            for (int column = 0; column < 8; column += 4)
                for (int quarter = 0; quarter < 32; quarter += 8) // 16-byte loads a quarter
                {
                    AssertDistinctBanks(
                        Enumerable.Range(quarter, 8)
                        .Select(lane =>
                            SharedTile.SumOffset(width, row + lane / lanesOfRow, lane % lanesOfRow * 8 + column)),
                                ChunkBytes);
                }
    }

    [Fact]
    public void Sums_OfAllLanesAreTheWholeBlock()
    {
        var places = from lane in Enumerable.Range(0, 32)
                     from below in new[] { 0, 8 }
                     from right in new[] { 0, 1 }
                     select (SharedTile.SumRow(lane) + below) * 8 + SharedTile.SumColumn(lane) + right;
        Assert.Equal(Enumerable.Range(0, 16 * 8), places.Order());
    }

    // ldmatrix: lanes 8i to 8i + 7 address the lines of matrix i; lane l gets elements 2 (l % 4) and the next of its
    // line l / 4, or, transposed, the other way round.
    private static (int Row, int Depth) Loaded(bool kMajor, bool isB, int row, int lane, int matrix, int pair)
    {
        int line = lane / 4, element = lane % 4 * 2 + pair;
        if (!kMajor)
            (line, element) = (element, line);
        var (firstRow, firstDepth) = Element(kMajor, SharedTile.FragmentOffset(kMajor, isB, row, 8 * matrix + line));
        return kMajor ? (firstRow, firstDepth + element) : (firstRow + element, firstDepth);
    }

    // The element at a chunk's place, found from the definition of the layout.
    private static (int Row, int Depth) Element(bool kMajor, int place)
    {
        int line = place / SharedTile.LineBytes, chunk = place % SharedTile.LineBytes / ChunkBytes ^ (line % 8);
        return kMajor ? (line, 8 * chunk) : (line / 64 * 64 + 8 * chunk, line % 64);
    }

    private static void AssertDistinctBanks(IEnumerable<int> places, int bytes)
    {
        int[] banks = [.. places.SelectMany(place => Enumerable.Range(place / 4, bytes / 4)).Select(word => word % 32)];
        Assert.Equal(32, banks.Length);
        Assert.Equal(32, banks.Distinct().Count());
    }
}
