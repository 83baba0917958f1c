using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Units of text files: together they are the files, whatever the size of a unit.</summary>
public class TextUnitsTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 7)]
    [InlineData(3, 64)]
    [InlineData(4, 1000)]
    [InlineData(5, 65_536)]
    public void Units_TogetherAreTheFile(int seed, long bytes)
    {
        using var folder = new TemporaryFolder();
        var random = new Random(seed);
        for (int round = 0; round < 20; round++)
        {
            byte[] text = SourceReading.RandomText(random, random.Next(1, (int)Math.Min(3000, 500 * bytes)));
            bool hasMark = round % 4 == 0;
            var source = SourceReading.Source(folder.Write("a.txt", hasMark ? [0xEF, 0xBB, 0xBF, .. text] : text));
            var report = new ReadReport();
            var pieces = SourceReading.Pieces(source.Units(bytes), report);

            Assert.Equal(text, SourceReading.Join(pieces));
            Assert.All(pieces, piece => Assert.NotEqual(0, piece.Bytes.Length));
            Assert.Equal(
                [.. Enumerable.Repeat(false, pieces.Count - 1), true], pieces.Select(piece => piece.EndsDocument));
            Assert.Equal((1, text.Length), (report.Documents, report.Bytes));
        }
    }

    [Fact]
    public void Units_AreTheSameTextInAnyOrder()
    {
        using var folder = new TemporaryFolder();
        byte[] text = SourceReading.RandomText(new Random(6), 20_000);
        var source = SourceReading.Source(folder.Write("a.txt", text));
        var units = source.Units(1000);
        var backwards = units.Reverse().Select(unit => SourceReading.Pieces([unit], new ReadReport())).Reverse()
            .ToList();

        Assert.InRange(units.Count, text.Length / 1000, text.Length / 1000 + 1);
        Assert.Equal(text.Length, units.Sum(unit => unit.Bytes));
        Assert.Equal(text, SourceReading.Join(backwards.SelectMany(pieces => pieces)));
        Assert.Equal(units.Select(unit => unit.Name), source.Units(1000).Select(unit => unit.Name));
    }

    [Fact]
    public void Units_TakeSmallFilesTogether()
    {
        using var folder = new TemporaryFolder();
        for (int i = 0; i < 10; i++)
            folder.Write($"{i}.txt", new string((char)('a' + i), 300));
        var source = SourceReading.Source(folder.Path);
        var units = source.Units(1000);

        Assert.Equal([900, 900, 900, 300], units.Select(unit => unit.Bytes));
        Assert.Equal(
            Enumerable.Range(0, 10).Select(i => new string((char)('a' + i), 300)),
            SourceReading.Texts(source, bytes: 1000));
    }

    [Fact]
    public void Pieces_AreAboutAMebibyte()
    {
        using var folder = new TemporaryFolder();
        byte[] text = SourceReading.RandomText(new Random(7), 2_000_000);
        var pieces = SourceReading.Pieces(SourceReading.Source(folder.Write("a.txt", text)).Units(), new ReadReport());

        Assert.Equal(text, SourceReading.Join(pieces));
        Assert.All(pieces.SkipLast(1),
            piece => Assert.InRange(piece.Bytes.Length, PieceCut.Target - 1000, PieceCut.Target));
        Assert.Equal(1, pieces.Count(piece => piece.EndsDocument));
    }

    /// <summary>
    /// A long text without a single place to cut: between two characters, at the same places in one unit or in many.
    /// </summary>
    [Theory]
    [InlineData(64L << 20)]
    [InlineData(5_000_000)]
    public void Text_WithoutACut_IsCutBetweenCharacters(long bytes)
    {
        using var folder = new TemporaryFolder();
        byte[] text = System.Text.Encoding.UTF8.GetBytes("x" + string.Concat(Enumerable.Repeat("\u4e2d", 12_000_000)));
        var report = new ReadReport();
        var pieces = SourceReading.Pieces(SourceReading.Source(folder.Write("a.txt", text)).Units(bytes), report);

        Assert.Equal(text.Length, report.Bytes);
        Assert.True(text.AsSpan().SequenceEqual(SourceReading.Join(pieces)));
        Assert.Equal(0, report.DocumentsNotUtf8);
        Assert.All(pieces, piece => Assert.InRange(piece.Bytes.Length, 1, PieceCut.Longest + 3));
        Assert.InRange(pieces.Count, 3, 10);
    }
}
