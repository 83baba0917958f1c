using System.Text;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>What --data words name.</summary>
public class DataSourceTests
{
    private static readonly SourceOptions Options = new();

    [Fact]
    public void Folder_TakesKnownKindsBelowIt()
    {
        using var folder = new TemporaryFolder();
        string[] taken = ["a.txt", "b/c.md", "b/d/e.jsonl.gz", "b.PY", "z.parquet", "z.txt.zst"];
        string[] left = ["a.unknown", "noextension", "c.bin", "d.tar.gz", ".hidden.txt", ".git/config.txt",
            "b/.x/y.txt", "e.png", "f.gz"];
        foreach (string name in taken.Concat(left))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder[name])!);
            folder.Write(name, "text");
        }

        Assert.Equal(taken.Order(StringComparer.Ordinal), Names(folder, SourceReading.Source(folder.Path)));
        Assert.Equal(taken.Order(StringComparer.Ordinal), Names(folder, SourceReading.Source(folder.Path + "/")));
    }

    [Theory]
    [InlineData("*.txt", "a.txt b.txt")]
    [InlineData("?.txt", "a.txt b.txt")]
    [InlineData("*", "a.txt b.txt c.md")]
    [InlineData("**", "a.txt b.txt c.md x/a.txt x/y/a.txt x/y/b.jsonl")]
    [InlineData("**/a.*", "a.txt x/a.txt x/y/a.txt")]
    [InlineData("*/a.txt", "x/a.txt")]
    [InlineData("x/**/*.txt", "x/a.txt x/y/a.txt")]
    [InlineData("**/y/*", "x/y/a.txt x/y/b.jsonl")]
    [InlineData("x/?/[a].*", "x/y/[a].log")]
    [InlineData("**/*.odd", "x/c.odd")]
    [InlineData("x/y/../*.txt", "x/y/../a.txt")]
    [InlineData(".h*/*.txt", ".h/a.txt")]
    public void Glob_FindsFilesInOrder(string pattern, string expected)
    {
        using var folder = new TemporaryFolder();
        foreach (string name in new[] { "b.txt", "a.txt", "c.md", "x/a.txt", "x/y/a.txt", "x/y/b.jsonl", "x/c.odd",
            ".h/a.txt" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder[name])!);
            folder.Write(name, "text");
        }

        if (pattern.Contains('['))
            folder.Write("x/y/[a].log", "text");
        Assert.Equal(expected.Split(' '), Names(folder, SourceReading.Source(folder[pattern])));
    }

    [Fact]
    public void Links_ToFoldersAreNotFollowed_ToFilesAre()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["real/sub"]);
        folder.Write("real/sub/a.txt", "text");
        Directory.CreateSymbolicLink(folder["real/sub/loop"], folder["real"]);
        File.CreateSymbolicLink(folder["real/b.txt"], folder["real/sub/a.txt"]);
        Directory.CreateSymbolicLink(folder["link"], folder["real"]);

        Assert.Equal(["link/b.txt", "link/sub/a.txt"], Names(folder, SourceReading.Source(folder["link"])));
        Assert.Equal(["text", "text"], SourceReading.Texts(folder["real/**/*.txt"]));
    }

    [Fact]
    public void File_NamedItselfIsText_WhateverItsName()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(["text"], SourceReading.Texts(folder.Write("story", "text")));
        Assert.Equal(["text"], SourceReading.Texts(folder.Write(".hidden", "text")));
        Assert.Equal(["text"], SourceReading.Texts(folder.Write("what*.odd?", "text")));
    }

    [Theory]
    [InlineData("a.txt=0.7", "a.txt", 0.7)]
    [InlineData("a.txt=2", "a.txt", 2.0)]
    [InlineData("a.txt=1e-3", "a.txt", 0.001)]
    [InlineData("a.txt", "a.txt", null)]
    [InlineData("b=0.5", "b=0.5", null)]
    [InlineData("b=0.5=3", "b=0.5", 3.0)]
    [InlineData("year=2020/*.txt", "year=2020/*.txt", null)]
    [InlineData("year=2020/*.txt=0.25", "year=2020/*.txt", 0.25)]
    [InlineData("*.txt=4", "*.txt", 4.0)]
    public void Weight_FollowsTheLastEqualsSign(string word, string name, double? weight)
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["year=2020"]);
        foreach (string file in new[] { "a.txt", "b=0.5", "year=2020/c.txt" })
            folder.Write(file, "text");
        var source = SourceReading.Source(folder[word]);

        Assert.Equal((folder[name], weight), (source.Name, source.Weight));
        Assert.Equal(["text"], SourceReading.Texts(source));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("1e999")]
    [InlineData("much")]
    [InlineData("")]
    [InlineData("0,5")]
    public void Weight_ThatIsNoPositiveNumber_IsRefused(string weight)
    {
        using var folder = new TemporaryFolder();
        string word = $"{folder.Write("a.txt", "text")}={weight}";
        UserError.Expect(
            () => DataSource.Parse([word], Options), $"--data {word}", $"\"{weight}\" is no weight", "positive number");
    }

    [Fact]
    public void Weights_OnSomeSourcesOnly_AreRefused()
    {
        using var folder = new TemporaryFolder();
        string a = folder.Write("a.txt", "text"), b = folder.Write("b.txt", "text");
        UserError.Expect(() => DataSource.Parse([a, $"{b}=0.5"], Options), $"--data {a}", "no weight", b);
        UserError.Expect(() => DataSource.Parse(["builtin:stories=0.5", a], Options), $"--data {a}", "no weight");
        Assert.Equal(
            [1, 0.5, 3],
            DataSource.Parse([$"{a}=1", $"{b}=0.5", "builtin:stories=3"], Options)
                .Select(source => source.Weight!.Value));
    }

    [Theory]
    [InlineData(BuiltinData.StoriesName)]
    [InlineData(BuiltinData.QuestionsName)]
    public void Builtin_HasTheDocumentsOfItsSplits(string name)
    {
        var source = SourceReading.Source($"builtin:{name}");
        Assert.True(source.IsBuiltin);
        Assert.False(source.IsTokens);
        Assert.Empty(source.Files);
        foreach (var split in new[] { Split.Train, Split.Validation })
        {
            var report = new ReadReport();
            var unit = Assert.Single(source.Units(split));
            var expected = TextData.Builtin($"builtin:{name}", split).Select(document => document.ToArray()).ToList();
            Assert.Equal(expected, SourceReading.Documents(SourceReading.Pieces([unit], report)));
            Assert.Equal(
                (expected.Count, expected.Sum(document => (long)document.Length)), (report.Documents, report.Bytes));
            Assert.Equal(report.Bytes, unit.Bytes);
        }
    }

    [Fact]
    public void Builtin_UnknownIsRefused() =>
        UserError.Expect(
            () => DataSource.Parse(["builtin:poems"], Options), "--data builtin:poems", "builtin:stories",
            "builtin:questions");

    [Fact]
    public void Split_OfFilesIsRefused()
    {
        using var folder = new TemporaryFolder();
        var source = SourceReading.Source(folder.Write("a.txt", "text"));
        UserError.Expect(() => source.Units(Split.Validation), "--data", "built-in");
    }

    [Fact]
    public void Bin_HoldsTokens()
    {
        using var folder = new TemporaryFolder();
        folder.Write("b.bin", [1, 2]);
        folder.Write("a.bin", [1, 2]);
        var source = SourceReading.Source(folder["*.bin"]);

        Assert.True(source.IsTokens);
        Assert.Equal(["a.bin", "b.bin"], Names(folder, source));
        UserError.Expect(() => source.Units(), "token ids");
        UserError.Expect(() => DataSource.Parse([folder.Path], Options), folder.Path, "tokens", "*.bin");
        folder.Write("a.txt", "text");
        UserError.Expect(() => DataSource.Parse([folder["*"]], Options), "mixes tokens", "a.bin", "a.txt");
        Assert.Equal(["a.txt"], Names(folder, SourceReading.Source(folder.Path)));
    }

    [Fact]
    public void PreparedFolder_HoldsTokens()
    {
        using var folder = new TemporaryFolder();
        folder.Write(DataSource.PreparedFile, "{}");
        folder.Write("shard.bin", [1, 2]);
        folder.Write("a.txt", "text");
        var source = SourceReading.Source(folder.Path);

        Assert.True(source.IsTokens);
        Assert.Equal([DataSource.PreparedFile], Names(folder, source));
    }

    [Fact]
    public void Fingerprint_ChangesWithTheInput()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.txt", "text");
        File.SetLastWriteTimeUtc(path, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        var seen = new List<string> { SourceReading.Source(path).Fingerprint };
        Assert.Equal(seen[0], SourceReading.Source(folder["*.txt"]).Fingerprint);
        Assert.Equal(seen[0], SourceReading.Source(path + "=3").Fingerprint);

        foreach (var options in new SourceOptions[] { new("body"), new(Encoding: "latin1"), new(Strict: true),
            new(DocumentSeparator: "---"), new(DocumentSeparator: "--") })
            seen.Add(SourceReading.Source(path, options).Fingerprint);
        File.SetLastWriteTimeUtc(path, new DateTime(2020, 1, 1, 0, 0, 1, DateTimeKind.Utc));
        seen.Add(SourceReading.Source(path).Fingerprint);
        folder.Write("a.txt", "texts");
        File.SetLastWriteTimeUtc(path, new DateTime(2020, 1, 1, 0, 0, 1, DateTimeKind.Utc));
        seen.Add(SourceReading.Source(path).Fingerprint);
        folder.Write("b.txt", "text");
        seen.Add(SourceReading.Source(folder["*.txt"]).Fingerprint);
        seen.Add(SourceReading.Source("builtin:stories").Fingerprint);
        seen.Add(SourceReading.Source("builtin:questions").Fingerprint);

        Assert.Equal(seen.Distinct(), seen);
    }

    [Fact]
    public void Report_AddsUpOverThreads()
    {
        using var folder = new TemporaryFolder();
        for (int i = 0; i < 50; i++)
        {
            folder.Write(
                $"{i}.jsonl",
                Encoding.UTF8.GetBytes(
                    string.Concat(Enumerable.Repeat("{\"text\": \"ab\"}\nbad\n{\"text\": \"\"}\n", 40))));
        }

        var report = new ReadReport();
        Parallel.ForEach(SourceReading.Source(folder.Path).Units(100), unit => SourceReading.Pieces([unit], report));

        Assert.Equal(
            (2000, 4000, 2000, 2000), (report.Documents, report.Bytes, report.BadLineCount, report.EmptyDocuments));
        Assert.Equal(ReadReport.KeptBadLines, report.BadLines.Count);
    }

    private static IEnumerable<string> Names(TemporaryFolder folder, DataSource source) =>
        source.Files.Select(file => file[(folder.Path.Length + 1)..]);
}
