using System.Text;
using Parquet.Schema;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Every format in every compression.</summary>
public class SourceFormatsTests
{
    private static readonly string[] Texts = ["One text.", "Zwei \u00e4 \u4e2d\U0001f600\nlines\n", "\"three\" \\ \t"];

    [Theory]
    [InlineData("")]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void Text_IsOneDocument(string ending)
    {
        using var folder = new TemporaryFolder();
        foreach (string extension in new[] { ".txt", ".md", ".py", ".json", ".html", ".unknown", "" })
        {
            string path = folder.Write(
                "a" + extension + ending, SourceReading.Compress(Encoding.UTF8.GetBytes(Texts[1]), ending));
            Assert.Equal([Texts[1]], SourceReading.Texts(path));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void JsonLines_AreADocumentALine(string ending)
    {
        using var folder = new TemporaryFolder();
        string lines = string.Join(
            '\n', Texts.Select(
                (text, i) =>
                    System.Text.Json.JsonSerializer.Serialize(
                        new { id = i, text, tags = new[] { "text" }, more = new { text = "not this" } })));
        foreach (string extension in new[] { ".jsonl", ".ndjson", ".JSONL" })
        {
            var report = new ReadReport();
            string path =
                folder.Write("a" + extension + ending, SourceReading.Compress(Encoding.UTF8.GetBytes(lines), ending));
            Assert.Equal(Texts, SourceReading.Texts(path, report: report));
            Assert.Equal((3, 0, 0), (report.Documents, report.BadLineCount, report.DocumentsNotUtf8));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void Parquet_IsADocumentARow(string ending)
    {
        using var folder = new TemporaryFolder();
        byte[] file = SourceReading.Parquet("body", [Texts[0], null, Texts[1]], [""], [Texts[2]]);
        string path = folder.Write("a.parquet" + ending, SourceReading.Compress(file, ending));
        var report = new ReadReport();

        Assert.Equal(Texts, SourceReading.Texts(path, new SourceOptions("body"), report));
        Assert.Equal((3, 2), (report.Documents, report.EmptyDocuments));
    }

    [Fact]
    public void Parquet_TakesBytes()
    {
        using var folder = new TemporaryFolder();
        var schema = new ParquetSchema(new DataField<int>("id"), new DataField<byte[]>("text"));
        byte[] file = SourceReading.Parquet<byte[]>(
            schema, [[[65, 255], [66]]], (group, rows) => group.WriteAsync(schema.DataFields[1], rows));
        var report = new ReadReport();
        var pieces = SourceReading.Pieces(SourceReading.Source(folder.Write("a.parquet", file)).Units(), report);

        Assert.Equal([[65, 255], [66]], SourceReading.Documents(pieces));
        Assert.Equal(1, report.DocumentsNotUtf8);
    }

    [Theory]
    [InlineData(1, 60)]
    [InlineData(600, 30)]
    [InlineData(1L << 20, 1)]
    public void Parquet_IsCutByRowGroups(long bytes, int units)
    {
        using var folder = new TemporaryFolder();
        var random = new Random(1);
        string[][] groups = Enumerable.Range(0, 60)
            .Select(_ => Enumerable.Range(0, 5).Select(_ => random.NextInt64().ToString("x16")).ToArray()).ToArray();
        var source = SourceReading.Source(folder.Write("a.parquet", SourceReading.Parquet("text", groups)));

        Assert.InRange(source.Units(bytes).Count, units / 2.0, units);
        Assert.Equal(source.Bytes, source.Units(bytes).Sum(unit => unit.Bytes));
        Assert.Equal(groups.SelectMany(group => group), SourceReading.Texts(source, bytes: bytes));
    }

    [Theory]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void Compressed_MayHaveManyMembers(string ending)
    {
        using var folder = new TemporaryFolder();
        byte[][] members = [.. Texts.Select(text => SourceReading.Compress(Encoding.UTF8.GetBytes(text), ending))];
        Assert.Equal(
            [string.Concat(Texts)],
            SourceReading.Texts(folder.Write("a.txt" + ending, [.. members.SelectMany(member => member)])));
    }

    [Theory]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void Compressed_IsOneUnit(string ending)
    {
        using var folder = new TemporaryFolder();
        byte[] text = SourceReading.RandomText(new Random(2), 100_000);
        var source = SourceReading.Source(folder.Write("a.txt" + ending, SourceReading.Compress(text, ending)));

        Assert.Equal(
            text, SourceReading.Join(SourceReading.Pieces([Assert.Single(source.Units(1000))], new ReadReport())));
    }

    [Fact]
    public void Text_AnyBytesStayAsTheyAre()
    {
        using var folder = new TemporaryFolder();
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        var report = new ReadReport();

        Assert.Equal(
            bytes, SourceReading.Join(
                SourceReading.Pieces(SourceReading.Source(folder.Write("a.txt", bytes)).Units(10), report)));
        Assert.Equal((1, 1), (report.Documents, report.DocumentsNotUtf8));
    }
}
