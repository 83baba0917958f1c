using System.Text;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Data.Sources;
using Xunit;

namespace TinyLlm.Tests.Training.Data.Sources;

/// <summary>Units of text files: together they are the files, whatever the size of a unit.</summary>
public class TextUnitsTests
{
    private static readonly string[] Parts = ["word ", "Word", " ", "\n", "\n\n", "\r\n", "e\u0301\u00e9", "\u4e2d\u6587", "\U0001f600", "1 2", "a/b", "\u2028", ".\n/x", "x\ny", "\t", "it's "];

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
            byte[] text = RandomText(random, random.Next(1, (int)Math.Min(3000, 500 * bytes)));
            File.WriteAllBytes(folder["a.txt"], text);
            var source = Assert.Single(DataSource.Parse([folder["a.txt"]], new SourceOptions()));
            var report = new ReadReport();
            var pieces = ReadAll(source.Units(bytes), report);

            Assert.Equal(text, Join(pieces));
            Assert.All(pieces, piece => Assert.NotEqual(0, piece.Bytes.Length));
            Assert.Equal([.. Enumerable.Repeat(false, pieces.Count - 1), true], pieces.Select(piece => piece.EndsDocument));
            Assert.Equal((1, text.Length), (report.Documents, report.Bytes));
        }
    }

    internal static byte[] RandomText(Random random, int parts)
    {
        var text = new MemoryStream();
        for (int i = 0; i < parts; i++)
            text.Write(random.Next(30) == 0 ? [(byte)random.Next(256)] : Encoding.UTF8.GetBytes(Parts[random.Next(Parts.Length)]));
        return text.ToArray();
    }

    internal static List<TextPiece> ReadAll(IEnumerable<SourceUnit> units, ReadReport report) =>
        units.SelectMany(unit => unit.Read(report).Select(piece => piece with { Bytes = piece.Bytes.ToArray() })).ToList();

    internal static byte[] Join(IEnumerable<TextPiece> pieces) => [.. pieces.SelectMany(piece => piece.Bytes.ToArray())];
}
