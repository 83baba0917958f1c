using System.Text;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Encodings: byte order marks, names, and UTF-16 without either.</summary>
public class TextEncodingTests
{
    private const string Text = "Plain words first, then \u00e9\u4e2d\U0001f600\r\nand a second line.";

    public static TheoryData<string> Marked => ["utf-8", "utf-16", "utf-16BE", "utf-32", "utf-32BE"];

    public static TheoryData<string> Compressions => ["", ".gz", ".zst"];

    [Theory]
    [MemberData(nameof(Marked))]
    public void Mark_TellsTheEncoding(string name)
    {
        using var folder = new TemporaryFolder();
        var encoding = Encoding.GetEncoding(name);
        byte[] bytes = [.. encoding.GetPreamble(), .. encoding.GetBytes(Text)];
        Assert.NotEmpty(encoding.GetPreamble());
        foreach (string ending in Compressions)
        {
            string path = folder.Write("a.txt" + ending, SourceReading.Compress(bytes, ending));
            Assert.Equal([Text], SourceReading.Texts(path));
            Assert.Equal([Text], SourceReading.Texts(path, new SourceOptions(Encoding: "latin1")));
        }
    }

    [Theory]
    [MemberData(nameof(Marked))]
    public void Mark_TellsTheEncodingOfJsonLines(string name)
    {
        using var folder = new TemporaryFolder();
        var encoding = Encoding.GetEncoding(name);
        byte[] bytes =
            [.. encoding.GetPreamble(), .. encoding.GetBytes("{\"text\": \"\u4e2d a\"}\n{\"text\": \"b\"}\n")];
        var source = SourceReading.Source(folder.Write("a.jsonl", bytes));

        Assert.Equal(["\u4e2d a", "b"], SourceReading.Texts(source, bytes: 5));
        if (name != "utf-8")
            Assert.Single(source.Units(5));
    }

    /// <summary>The mark belongs to no line: the first is read, has its number, and its fields are known.</summary>
    [Theory]
    [MemberData(nameof(Marked))]
    public void Mark_LeavesTheFirstJsonLineAsItIs(string name)
    {
        using var folder = new TemporaryFolder();
        var encoding = Encoding.GetEncoding(name);
        foreach (string ending in Compressions)
        {
            string Write(string text) =>
                folder.Write(
                    "a.jsonl" + ending,
                    SourceReading.Compress([.. encoding.GetPreamble(), .. encoding.GetBytes(text)], ending));

            foreach (string before in new[] { "", "\n", " ", "\r\n" })
            {
                string path = Write(before + "{\"text\": \"a\"}\r\n{\"text\": \"b\"}");
                Assert.Equal(["a", "b"], SourceReading.Texts(path, new SourceOptions(Strict: true)));
                Assert.Equal(
                    ["a", "b"], SourceReading.Texts(
                        SourceReading.Source(path, new SourceOptions(Strict: true)), bytes: 1));
            }

            var report = new ReadReport();
            Assert.Equal(["b"], SourceReading.Texts(Write("bad\n{\"text\": \"b\"}\nbad"), report: report));
            Assert.Equal([1, 3], report.BadLines.Select(line => line.Line));
            string other = Write("{\"body\": \"a\"}\n");
            UserError.Expect(() => SourceReading.Texts(other), other, "among its fields (body)");
        }
    }

    [Theory]
    [InlineData("latin1", new byte[] { 0x41, 0xE9, 0x80 }, "A\u00e9\u0080")]
    [InlineData("windows-1252", new byte[] { 0x41, 0xE9, 0x80 }, "A\u00e9\u20ac")]
    [InlineData("shift_jis", new byte[] { 0x93, 0xFA, 0x96, 0x7B }, "\u65e5\u672c")]
    [InlineData("gb18030", new byte[] { 0xD6, 0xD0 }, "\u4e2d")]
    [InlineData("koi8-r", new byte[] { 0xC1 }, "\u0430")]
    [InlineData("utf-16", new byte[] { 0x2D, 0x4E, 0x41, 0 }, "\u4e2dA")]
    [InlineData("UTF16", new byte[] { 0x2D, 0x4E, 0x41, 0 }, "\u4e2dA")]
    [InlineData("utf-16BE", new byte[] { 0x4E, 0x2D, 0, 0x41 }, "\u4e2dA")]
    [InlineData("utf-8", new byte[] { 0xC3, 0xA9 }, "\u00e9")]
    [InlineData("utf8", new byte[] { 0xC3, 0xA9 }, "\u00e9")]
    public void Named_BecomesUtf8(string name, byte[] bytes, string expected)
    {
        using var folder = new TemporaryFolder();
        Assert.Equal([expected], SourceReading.Texts(folder.Write("a.txt", bytes), new SourceOptions(Encoding: name)));
    }

    [Theory]
    [InlineData("shift_jis", new byte[] { 0x41, 0x81 }, "A\ufffd")]
    [InlineData("utf-16", new byte[] { 0x41, 0, 0x42 }, "A\ufffd")]
    public void Named_CountsDocumentsThatAreNotValid(string name, byte[] bytes, string expected)
    {
        using var folder = new TemporaryFolder();
        var report = new ReadReport();
        Assert.Equal(
            [expected], SourceReading.Texts(folder.Write("a.txt", bytes), new SourceOptions(Encoding: name), report));
        Assert.Equal((1, 1), (report.Documents, report.DocumentsNotUtf8));
    }

    [Theory]
    [InlineData("utf-16")]
    [InlineData("utf-16BE")]
    public void Utf16_IsSeenWithoutAMark(string name)
    {
        using var folder = new TemporaryFolder();
        Assert.Equal([Text], SourceReading.Texts(folder.Write("a.txt", Encoding.GetEncoding(name).GetBytes(Text))));
    }

    /// <summary>Zeros alone do not make UTF-16: short text, or zeros at any place, stays as it is.</summary>
    [Theory]
    [InlineData("a\0b\0c\0")]
    [InlineData("some text with one \0 zero in it, and nothing else that is unusual")]
    [InlineData(
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]
    public void Zeros_StayAsTheyAre(string text)
    {
        using var folder = new TemporaryFolder();
        Assert.Equal([text], SourceReading.Texts(folder.Write("a.txt", text)));
    }

    [Theory]
    [InlineData("klingon")]
    [InlineData("utf-7")]
    [InlineData("")]
    public void Named_UnknownIsRefused(string name)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.txt", "text");
        UserError.Expect(
            () => DataSource.Parse([path], new SourceOptions(Encoding: name)), $"--encoding {name}", "windows-1252");
    }

    [Fact]
    public void LongText_OfAnotherEncodingIsWhole()
    {
        using var folder = new TemporaryFolder();
        string text = string.Concat(Enumerable.Repeat("\u00e9t\u00e9 and \U0001f600 words\n", 100_000));
        var source = SourceReading.Source(
            folder.Write("a.txt", [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(text)]));

        Assert.Single(source.Units(1000));
        Assert.Equal([text], SourceReading.Texts(source, bytes: 1000));
    }
}
