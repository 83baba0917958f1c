using System.Text;
using TinyLlm.Data.Sources;
using TinyLlm.Data.Tokens;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Text files of several documents, with lines between them that are exactly a separator.</summary>
public class SeparatedTextTests
{
    private const string Separator = "<|endoftext|>";
    private static readonly SourceOptions Options = new(DocumentSeparator: Separator);

    public static TheoryData<string, string[]> Files => new()
    {
        { "one\n@\ntwo\n", ["one", "two\n"] },
        { "one\n@\ntwo\n@\n", ["one", "two"] },
        { "one\n@\ntwo\n@", ["one", "two"] },
        { "one\r\n@\r\ntwo\r\n@\r\n", ["one", "two"] },
        { "one\r\n@\r\ntwo\r\n@\r", ["one", "two"] },
        { "one\n\n@\n\ntwo\n\nmore\n@\n", ["one\n", "\ntwo\n\nmore"] },
        { "@\none", ["one"] },
        { "@\n@\none\n@\n@\n\n@\n\n\n@\ntwo\n@\n\n", ["one", "\n", "two", "\n"] },
        { "one", ["one"] },
        { "one\n", ["one\n"] },
        { "one@\ntwo\n@ \nthree\n @\nfour\n@x\n@@\n@\rfive", ["one@\ntwo\n@ \nthree\n @\nfour\n@x\n@@\n@\rfive"] },
        { "\u00e4\n@\n\u4e2d\U0001f600\n@\n", ["\u00e4", "\u4e2d\U0001f600"] },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void Documents_EndAtSeparatorLines(string text, string[] expected)
    {
        using var folder = new TemporaryFolder();
        text = text.Replace("@", Separator);
        expected = [.. expected.Select(document => document.Replace("@", Separator))];
        foreach (string ending in new[] { "", ".gz", ".zst" })
        {
            foreach (string name in new[] { "utf-8", "utf-16" })
            {
                var encoding = Encoding.GetEncoding(name);
                string path = folder.Write(
                    "a.txt" + ending,
                    SourceReading.Compress([.. encoding.GetPreamble(), .. encoding.GetBytes(text)], ending));
                var report = new ReadReport();
                Assert.Equal(expected, SourceReading.Texts(path, Options, report));
                Assert.Equal((expected.Length, 0), (report.Documents, report.DocumentsNotUtf8));
                Assert.Equal(expected, SourceReading.Texts(SourceReading.Source(path, Options), bytes: 1));
            }
        }

        Assert.Equal([text], SourceReading.Texts(folder.Write("a.txt", text)));
    }

    /// <summary>
    /// Against a split of the whole text, with separators that text can be cut in, at any size of a unit.
    /// </summary>
    [Theory]
    [InlineData(1, "<|endoftext|>", 1)]
    [InlineData(2, "<|endoftext|>", 7)]
    [InlineData(3, "the end of text", 1)]
    [InlineData(4, " the end", 5)]
    [InlineData(5, "a", 3)]
    [InlineData(6, "aa", 1)]
    [InlineData(7, "\u4e2d", 2)]
    [InlineData(8, "---", 64)]
    [InlineData(9, "<|endoftext|>", 1000)]
    public void Units_HaveEachDocumentOnce(int seed, string separator, long bytes)
    {
        using var folder = new TemporaryFolder();
        var random = new Random(seed);
        for (int round = 0; round < 60; round++)
        {
            byte[] text = RandomText(random, separator, random.Next(1, 120));
            var expected = Split(text, separator);
            bool hasMark = round % 4 == 0;
            string path = folder.Write("a.txt", hasMark ? [0xEF, 0xBB, 0xBF, .. text] : text);
            var source = SourceReading.Source(path, new SourceOptions(DocumentSeparator: separator));
            foreach (long size in new[] { bytes, 1 << 20 })
            {
                var report = new ReadReport();
                var pieces = SourceReading.Pieces(source.Units(size), report);
                Assert.All(pieces, piece => Assert.NotEqual(0, piece.Bytes.Length));
                Assert.Equal(expected.FindAll(document => document.Length > 0), SourceReading.Documents(pieces));
                Assert.Equal(expected.Count(document => document.Length == 0), report.EmptyDocuments);
                Assert.Equal(
                    (expected.Count(document => document.Length > 0), expected.Sum(document => document.Length)),
                    (report.Documents, report.Bytes));
            }
        }
    }

    /// <summary>The buffer ends anywhere in the separator and the line ends around it.</summary>
    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public void Separator_AcrossTheEndOfTheBuffer_IsFound(string lineEnd)
    {
        using var folder = new TemporaryFolder();
        for (int length = (1 << 16) - 40; length < (1 << 16) + 10; length++)
        {
            string first = new('x', length), text = first + lineEnd + Separator + lineEnd + "second";
            Assert.Equal([first, "second"], SourceReading.Texts(folder.Write("a.txt", text), Options));
        }
    }

    [Fact]
    public void Documents_ThatAreLong_ComeInPieces()
    {
        using var folder = new TemporaryFolder();
        string[] documents = [.. Enumerable.Range(0, 3)
            .Select(i => string.Concat(Enumerable.Repeat($"word{i} and more \u00e9\n", 150_000)).TrimEnd())];
        var source = SourceReading.Source(folder.Write("a.txt", string.Join($"\n{Separator}\n", documents)), Options);
        foreach (long bytes in new[] { 64L << 20, 1 << 20, 100_000 })
        {
            var pieces = SourceReading.Pieces(source.Units(bytes), new ReadReport());
            Assert.Equal(documents, SourceReading.Documents(pieces).ConvertAll(Encoding.UTF8.GetString));
            Assert.All(pieces, piece => Assert.InRange(piece.Bytes.Length, 1, PieceCut.Target));
        }

        Assert.InRange(source.Units(1 << 20).Count, 6, 12);
    }

    /// <summary>
    /// A long text without a place to cut is cut between characters: here in and around the separator.
    /// </summary>
    [Fact]
    public void Documents_WithoutACut_EndAtTheSeparator()
    {
        using var folder = new TemporaryFolder();
        const int Unit = 12 << 20;
        for (int more = -3; more <= Separator.Length + 1; more += 2)
        {
            string first = new('x', Unit + PieceCut.Longest - more);
            var source = SourceReading.Source(folder.Write("a.txt", $"{first}\r\n{Separator}\r\n second"), Options);
            var documents = SourceReading.Documents(SourceReading.Pieces(source.Units(Unit), new ReadReport()));
            Assert.Equal([first.Length, 7], documents.Select(document => document.Length));
        }
    }

    /// <summary>
    /// The stream of tokens is that of the same documents as JSON lines; what only looks like a separator is text,
    /// never a control token.
    /// </summary>
    [Theory]
    [InlineData(64L << 20)]
    [InlineData(20)]
    public void Tokens_AreThoseOfJsonLines(long bytes)
    {
        using var folder = new TemporaryFolder();
        var tokenizer = BpeTrainer.Train("a story and another story"u8, 270);
        string[] documents = ["A story.", $"Another {Separator}\n {Separator}\nstory.", "The end."];
        string text = folder.Write("a.txt", string.Join($"\n{Separator}\n", documents) + $"\n{Separator}\n");
        string lines = folder.Write(
            "a.jsonl", string.Join(
                '\n', documents.Select(
                    document => System.Text.Json.JsonSerializer.Serialize(new { text = document }))));
        int[] ids = Encode(SourceReading.Source(text, Options)), expected = Encode(SourceReading.Source(lines));

        Assert.Equal(expected, ids);
        Assert.Equal(1 + documents.Length, ids.Count(id => id == tokenizer.EndOfText));

        int[] Encode(DataSource source)
        {
            var tokens = DocumentEncoder.ToMemory(
                source.Units(bytes), tokenizer, new ReadReport(), TestContext.Current.CancellationToken);
            int[] all = new int[tokens.Count];
            tokens.Read(0, all);
            return all;
        }
    }

    [Fact]
    public void NotUtf8_CountsDocuments()
    {
        using var folder = new TemporaryFolder();
        var report = new ReadReport();
        SourceReading.Texts(
            folder.Write("a.txt", [0xFF, .. "\n<|endoftext|>\nb\n<|endoftext|>\n"u8, 0xFE]), Options, report);
        Assert.Equal((3, 2), (report.Documents, report.DocumentsNotUtf8));
    }

    [Fact]
    public void OtherKinds_AreAsTheyWere()
    {
        using var folder = new TemporaryFolder();
        string lines = folder.Write("a.jsonl", $"{{\"text\": \"one\\n{Separator}\\ntwo\"}}\n");
        Assert.Equal([$"one\n{Separator}\ntwo"], SourceReading.Texts(lines, Options));
        string table = folder.Write("a.parquet", SourceReading.Parquet("text", [$"one\n{Separator}\ntwo"]));
        Assert.Equal([$"one\n{Separator}\ntwo"], SourceReading.Texts(table, Options));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\nb")]
    [InlineData("a\r")]
    public void Separator_ThatIsNoLine_IsRefused(string separator) =>
        UserError.Expect(
            () => DataSource.Parse(["builtin:stories"], new SourceOptions(DocumentSeparator: separator)),
            "--document-separator", "one line");

    private static byte[] RandomText(Random random, string separator, int parts)
    {
        var text = new StringBuilder();
        for (int i = 0; i < parts; i++)
        {
            text.Append(random.Next(9) switch
            {
                0 or 1 => "\n" + separator + "\n",
                2 => "\r\n" + separator + "\r\n",
                3 => separator,
                4 => "\n",
                5 => "\r",
                6 => separator[..random.Next(separator.Length)],
                _ => Encoding.UTF8.GetString(SourceReading.RandomText(random, 3)).Replace("\uFFFD", ""),
            });
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    // Line by line; of what follows the last separator, nothing is no document.
    private static List<byte[]> Split(byte[] file, string separator)
    {
        string text = Encoding.UTF8.GetString(file);
        var documents = new List<byte[]>();
        var open = new StringBuilder();
        for (int place = 0; place < text.Length;)
        {
            int feed = text.IndexOf('\n', place), next = feed < 0 ? text.Length : feed + 1;
            string line = text[place..next], bare = line.EndsWith("\r\n", StringComparison.Ordinal) ? line[..^2]
                : line.TrimEnd('\n');
            bool isLast = feed < 0;
            if (bare == separator || isLast && line == separator + "\r")
            {
                string document = open.ToString();
                string whole = document.EndsWith("\r\n", StringComparison.Ordinal) ? document[..^2]
                    : document.EndsWith('\n') ? document[..^1] : document;
                documents.Add(Encoding.UTF8.GetBytes(whole));
                open.Clear();
            }
            else
            {
                open.Append(line);
            }

            place = next;
        }

        if (open.Length > 0)
            documents.Add(Encoding.UTF8.GetBytes(open.ToString()));
        return documents;
    }
}
