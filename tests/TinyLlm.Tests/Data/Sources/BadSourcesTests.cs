using System.Formats.Tar;
using System.Text;
using Parquet.Schema;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Input that cannot be read: one line that names the file.</summary>
public class BadSourcesTests
{
    private static readonly SourceOptions Options = new();
    private static readonly byte[] Text = SourceReading.RandomText(new Random(1), 20_000);

    [Theory]
    [InlineData("nothing.txt", "no such file")]
    [InlineData("nofolder/", "no such file")]
    [InlineData("", "no such file")]
    [InlineData("*.nothing", "no file matches")]
    [InlineData("nofolder/*.txt", "no file matches")]
    public void Missing_IsRefused(string name, string reason)
    {
        using var folder = new TemporaryFolder();
        string word = name.Length == 0 ? name : folder[name];
        UserError.Expect(() => DataSource.Parse([word], Options), $"--data {word}", reason);
    }

    [Fact]
    public void Folder_EmptyOrUnknown_IsRefused()
    {
        using var folder = new TemporaryFolder();
        UserError.Expect(() => DataSource.Parse([folder.Path], Options), folder.Path, "no file in this folder");
        folder.Write("a.unknown", "text");
        UserError.Expect(() => DataSource.Parse([folder.Path], Options), folder.Path, "none of the 1 files in this "
            + "folder is of a known kind", ".jsonl");
        UserError.Expect(() => DataSource.Parse([folder["*"]], Options), folder["*"], "none of the 1 files that match "
            + "is of a known kind");
    }

    [Fact]
    public void Empty_IsRefused_UnlessOtherFilesHaveText()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.txt", "");
        UserError.Expect(() => DataSource.Parse([folder["a.txt"]], Options), folder["a.txt"], "empty");
        folder.Write("b.jsonl", "");
        UserError.Expect(() => DataSource.Parse([folder.Path], Options), folder.Path, "all 2 files are empty");
        folder.Write("c.txt", "text");
        var report = new ReadReport();
        Assert.Equal(["text"], SourceReading.Texts(folder.Path, report: report));
        Assert.Equal((1, 1), (report.Documents, report.EmptyDocuments));
    }

    [Theory]
    [InlineData("a.zip", "a ZIP archive")]
    [InlineData("a.txt.zip", "a ZIP archive")]
    [InlineData("A.ZIP", "a ZIP archive")]
    [InlineData("a.tar", "a tar archive")]
    [InlineData("a.tgz", "a tar archive")]
    [InlineData("a.tar.gz", "a tar archive")]
    [InlineData("a.tar.zst", "a tar archive")]
    [InlineData("a.tar.xz", "a tar archive")]
    [InlineData("a.txt.xz", "compressed by xz")]
    [InlineData("a.jsonl.bz2", "compressed by bzip2")]
    [InlineData("a.7z", "a 7-Zip archive")]
    [InlineData("a.rar", "a RAR archive")]
    public void Archive_ByItsName_IsRefused(string name, string what)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write(name, "text"), pattern = folder["*" + Path.GetExtension(name)];
        string[] parts = [$"this is {what}; expected text", ".jsonl or .parquet, each also .gz or .zst", "Unpack it"];
        UserError.Expect(() => DataSource.Parse([path], Options), [$"--data {path}", .. parts]);
        UserError.Expect(() => DataSource.Parse([path + "=0.5"], Options), [$"--data {path}", .. parts]);
        UserError.Expect(() => DataSource.Parse([pattern], Options), [$"--data {pattern}", path, .. parts]);
        UserError.Expect(() => DataSource.Parse([folder.Path], Options), [$"--data {folder.Path}", path, .. parts]);

        // Beside text, folders and patterns for anything leave them out as they do other kinds.
        folder.Write("b.txt", "text");
        Assert.Equal([folder["b.txt"]], SourceReading.Source(folder.Path).Files);
        Assert.Equal([folder["b.txt"]], SourceReading.Source(folder["*"]).Files);
    }

    public static TheoryData<byte[], string> Heads => new()
    {
        { [.. "PK\u0003\u0004"u8, 20, 0, 0, 0, 8, 0], "a ZIP archive" },
        { [.. "PK\u0005\u0006"u8, .. new byte[18]], "a ZIP archive" },
        { [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C, 0, 4], "a 7-Zip archive" },
        { [.. "Rar!\u001A\u0007\u0001"u8, 0], "a RAR archive" },
        { [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0, 4], "compressed by xz" },
        { [.. "BZh91AY&SY"u8, 1, 2, 3], "compressed by bzip2" },
        { SourceReading.Compress(Text, ".gz"), "compressed by gzip" },
        { SourceReading.Compress(Text, ".zst"), "compressed by zstd" },
        { Tar(), "a tar archive" },
    };

    [Theory]
    [MemberData(nameof(Heads))]
    public void Archive_ByItsFirstBytes_IsRefused(byte[] head, string what)
    {
        using var folder = new TemporaryFolder();
        foreach (string ending in new[] { "", ".gz", ".zst" })
        {
            foreach (string extension in new[] { ".txt", ".jsonl", "" })
            {
                string path = folder.Write("a" + extension + ending, SourceReading.Compress(head, ending));
                UserError.Expect(() => SourceReading.Texts(path), path, $"this is {what}; expected text", "Unpack it");
                UserError.Expect(
                    () => SourceReading.Texts(SourceReading.Source(path), bytes: 5), path, $"this is {what}");
            }
        }
    }

    [Theory]
    [InlineData("PK is short for something.")]
    [InlineData("BZh9 is a magic.")]
    [InlineData("Rar! is another.")]
    [InlineData("7z")]
    public void Text_ThatBeginsAlmostAsAnArchive_IsText(string text)
    {
        using var folder = new TemporaryFolder();
        Assert.Equal([text], SourceReading.Texts(folder.Write("a.txt", text)));
        text = text.PadRight(257) + "ustar in the place of a tar archive's";
        Assert.Equal([text], SourceReading.Texts(folder.Write("a.txt", text)));
    }

    [Theory]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void Compressed_CutAnywhere_IsRefused(string ending)
    {
        using var folder = new TemporaryFolder();
        byte[] member = SourceReading.Compress(Text, ending), two = [.. member, .. member];
        foreach (string extension in new[] { ".txt", ".jsonl", ".parquet" })
        {
            foreach (int length in new[] { 1, 3, 12, member.Length / 2, member.Length - 1, member.Length + 1,
                member.Length + 9, two.Length - 100, two.Length - 1 })
            {
                string path = folder.Write("a" + extension + ending, two[..length]);
                UserError.Expect(() => SourceReading.Texts(path), path, "damaged or cut off");
            }
        }
    }

    [Theory]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void Compressed_OtherContent_IsRefused(string ending)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.txt" + ending, "This is plain text with the wrong name.");
        UserError.Expect(() => SourceReading.Texts(path), path, "damaged or cut off");
    }

    [Fact]
    public void Gzip_WithOtherText_IsSeenByItsSum()
    {
        using var folder = new TemporaryFolder();
        byte[] packed = SourceReading.Compress(Text, ".gz");
        packed[^6] ^= 1;
        string path = folder.Write("a.txt.gz", packed);
        UserError.Expect(() => SourceReading.Texts(path), path, "damaged or cut off");
    }

    [Fact]
    public void Parquet_CutAnywhere_IsRefused()
    {
        using var folder = new TemporaryFolder();
        byte[] file = SourceReading.Parquet(
            "text", [.. Enumerable.Range(0, 20).Select(i => new string?[] { $"text {i}", null, new string('x', i) })]);
        foreach (int length in Enumerable.Range(1, 30).Select(i => file.Length * i / 31).Append(1)
            .Append(file.Length - 1))
        {
            string path = folder.Write("a.parquet", file[..length]);
            UserError.Expect(() => SourceReading.Texts(path), path, "damaged, cut off or of an unknown kind");
            if (length > 10)
            {
                UserError.Expect(
                    () => SourceReading.Texts(SourceReading.Source(path), bytes: 10), path,
                    "damaged, cut off or of an unknown kind");
            }
        }
    }

    [Fact]
    public void Parquet_WithoutTheColumn_NamesTheOthers()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.parquet", SourceReading.Parquet("body", ["a"]));
        UserError.Expect(
            () => SourceReading.Texts(path), path, "no column \"text\"", "id (Int32), body (string)", "--text-field");
        UserError.Expect(
            () => SourceReading.Texts(path, new SourceOptions("id")), path, "\"id\" holds Int32", "body (string)");

        var schema = new ParquetSchema(new DataField<int>("id"), new DataField("text", typeof(IEnumerable<string>)));
        path = folder.Write(
            "b.parquet",
            SourceReading.Parquet<string>(
                schema, [["a"]], (group, rows) => group.WriteAsync(schema.DataFields[1], rows, new int[rows.Length])));
        UserError.Expect(() => SourceReading.Texts(path), path, "\"text\" holds list of string");
    }

    [Fact]
    public void Changed_WhilePreparing_IsRefused()
    {
        using var folder = new TemporaryFolder();
        foreach (string name in new[] { "a.txt", "a.jsonl", "a.parquet", "a.txt.gz" })
        {
            var units = SourceReading.Source(folder.Write(name, Text)).Units();
            folder.Write(name, Text[..^1]);
            UserError.Expect(
                () => SourceReading.Pieces(units, new ReadReport()), folder[name], "changed while it was being read");
            File.Delete(folder[name]);
            UserError.Expect(() => SourceReading.Pieces(units, new ReadReport()), folder[name], "no such file");
        }
    }

    [Fact]
    public void Shrunk_WhileBeingRead_IsRefused()
    {
        using var folder = new TemporaryFolder();
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("word after word ", 500_000)));
        string path = folder.Write("a.txt", text);
        var unit = Assert.Single(SourceReading.Source(path).Units());
        using var pieces = unit.Read(new ReadReport()).GetEnumerator();
        Assert.True(pieces.MoveNext());
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            stream.SetLength(3 << 20);

        UserError.Expect(() =>
        {
            while (pieces.MoveNext())
                Assert.False(pieces.Current.EndsDocument);
        }, path, "changed while it was being read");
    }

    [Fact]
    public void Unreadable_IsRefused()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
        {
            Assert.Skip("Rights do not bind an administrator.");
            return;
        }

        using var folder = new TemporaryFolder();
        string path = folder.Write("a.txt", "text");
        File.SetUnixFileMode(path, UnixFileMode.None);
        UserError.Expect(() => SourceReading.Texts(path), path, "rights");
        Directory.CreateDirectory(folder["sub"], UnixFileMode.None);
        UserError.Expect(() => DataSource.Parse([folder.Path], Options), folder["sub"], "rights");
        File.SetUnixFileMode(folder["sub"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static byte[] Tar()
    {
        var file = new MemoryStream();
        using (var writer = new TarWriter(file, leaveOpen: true))
            writer.WriteEntry(
                new UstarTarEntry(TarEntryType.RegularFile, "a.txt") { DataStream = new MemoryStream(Text) });
        return file.ToArray();
    }
}
