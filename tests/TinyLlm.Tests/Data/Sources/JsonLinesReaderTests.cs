using System.Text;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>JSON lines: bad lines, missing fields, and units.</summary>
public class JsonLinesReaderTests
{
    private const string Bad = """
        {"text": "one"}

        {"text": "cut
        ["text"]
        {"body": "no field", "id": 1}
        {"text": 5}
        {"text": null}
        {"text": {"text": "deep"}}
        {"text": "half \ud800 pair"}
        {"text": "two"} {"text": "more"}
        42
        {"text": "first", "text": "last"}
        {"text": "esc\u0061ped \n \ud83d\ude00"}
        """;

    private static readonly string[] Reasons =
    [
        "line 3: this is no JSON", "line 4: this is an array; expected a JSON object",
            "line 5: there is no field \"text\" among its fields (body, id)",
        "line 6: the field \"text\" is a number; expected a string", "line 7: the field \"text\" is null",
        "line 8: the field \"text\" is an object", "line 9: the field \"text\" has half",
        "line 10: this is no JSON", "line 11: this is a number",
    ];

    [Theory]
    [InlineData("\n", 1L << 20)]
    [InlineData("\r\n", 1L << 20)]
    [InlineData("\n", 1)]
    [InlineData("\n", 40)]
    public void BadLines_AreLeftOutAndReported(string lineEnd, long bytes)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.jsonl", Bad.ReplaceLineEndings(lineEnd));
        var report = new ReadReport();

        // A unit of one line may have a line without the field only: the other lines of the file count too.
        Assert.Equal(
            ["one", "last", "escaped \n \U0001f600"], SourceReading.Texts(SourceReading.Source(path), report, bytes));
        Assert.Equal((3, Reasons.Length), (report.Documents, report.BadLineCount));
        Assert.Equal(Reasons.Length, report.BadLines.Count);
        for (int i = 0; i < Reasons.Length; i++)
            Assert.StartsWith($"{path}, {Reasons[i]}", report.BadLines[i].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void BadLines_OnlyTheFirstAreKept()
    {
        using var folder = new TemporaryFolder();
        var report = new ReadReport();
        SourceReading.Texts(
            folder.Write("a.jsonl", "{\"text\": \"a\"}\n" + string.Concat(Enumerable.Repeat("no\n", 1000))),
            report: report);

        Assert.Equal(1000, report.BadLineCount);
        Assert.Equal(Enumerable.Range(2, ReadReport.KeptBadLines), report.BadLines.Select(line => (int)line.Line));
    }

    [Theory]
    [InlineData(1L << 20)]
    [InlineData(20)]
    public void Strict_StopsAtTheFirstBadLine(long bytes)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.jsonl", Bad);
        UserError.Expect(
            () => SourceReading.Texts(SourceReading.Source(path, new SourceOptions(Strict: true)), bytes: bytes), path,
            "line 3", "--strict");
    }

    [Theory]
    [InlineData(1L << 20)]
    [InlineData(1)]
    [InlineData(30)]
    public void Field_ThatNoLineHas_NamesTheOthers(long bytes)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.jsonl", "junk\n{\"body\": \"one\", \"i\\u0064\": 7}\n{\"title\": \"two\"}\n");
        UserError.Expect(
            () => SourceReading.Texts(SourceReading.Source(path), bytes: bytes), path, "\"text\"", "body",
            "--text-field");
        Assert.Equal(["one"], SourceReading.Texts(SourceReading.Source(path, new SourceOptions("body")), bytes: bytes));
    }

    [Fact]
    public void Field_MayHaveAnyName()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.jsonl", "{\"\u00fcber \\\"x\\\"\": \"one\"}\n");
        Assert.Equal(["one"], SourceReading.Texts(path, new SourceOptions("\u00fcber \"x\"")));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 10)]
    [InlineData(3, 200)]
    [InlineData(4, 100_000)]
    public void Units_HaveEachLineOnce(int seed, long bytes)
    {
        using var folder = new TemporaryFolder();
        var random = new Random(seed);
        var texts = new List<string>();
        var file = new StringBuilder();
        for (int i = 0; i < 200; i++)
        {
            file.Append(random.Next(5) == 0 ? "\n" : "").Append(random.Next(9) == 0 ? "bad\n" : "");
            texts.Add($"{i} {new string('x', random.Next(50))}");
            file.Append($"{{\"text\": \"{texts[^1]}\"}}").Append(i == 199 && seed % 2 == 0 ? "" : "\n");
        }

        var whole = new ReadReport();
        var source = SourceReading.Source(folder.Write("a.jsonl", file.ToString()));
        Assert.Equal(texts, SourceReading.Texts(source, whole));
        var parts = new ReadReport();
        Assert.Equal(texts, SourceReading.Texts(source, parts, bytes));
        Assert.Equal(whole.BadLineCount, parts.BadLineCount);
        Assert.Equal(whole.BadLines, parts.BadLines);
    }

    [Theory]
    [InlineData(1L << 30)]
    [InlineData(4 << 20)]
    public void Line_ThatIsTooLong_HasItsNumber(long bytes)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.jsonl", $"{{\"text\": \"a\"}}\n{new string(' ', 5 << 20)}\n");
        using (var stream = File.OpenWrite(path))
            stream.SetLength(70 << 20);
        UserError.Expect(
            () => SourceReading.Texts(SourceReading.Source(path), bytes: bytes), path, "line 3", "longer than 64 MiB");
    }

    [Fact]
    public void Text_ThatIsLong_ComesInPieces()
    {
        using var folder = new TemporaryFolder();
        string text = string.Concat(Enumerable.Repeat("many words \u00e9 ", 300_000));
        var pieces = SourceReading.Pieces(
            SourceReading.Source(folder.Write("a.jsonl", $"{{\"text\": \"{text}\"}}\n{{\"text\": \"b\"}}")).Units(),
            new ReadReport());

        Assert.InRange(pieces.Count, 4, 10);
        Assert.Equal([text, "b"], SourceReading.Documents(pieces).ConvertAll(Encoding.UTF8.GetString));
    }

    [Fact]
    public void Text_InvalidUtf8StaysAsItIs()
    {
        using var folder = new TemporaryFolder();
        var report = new ReadReport();
        var pieces = SourceReading.Pieces(
            SourceReading.Source(folder.Write("a.jsonl", [.. "{\"text\": \"a"u8, 0xFF, .. "\"}\n"u8])).Units(), report);

        Assert.Equal([[0x61, 0xFF]], SourceReading.Documents(pieces));
        Assert.Equal((1, 0), (report.DocumentsNotUtf8, report.BadLineCount));
    }
}
