using System.Text;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Write_MakesFoldersAndReplaces()
    {
        string path = folder["a/b/file.bin"];
        AtomicFile.Write(path, stream => stream.Write([1, 2, 3]));
        Assert.Equal([1, 2, 3], File.ReadAllBytes(path));
        AtomicFile.Write(path, stream => stream.Write([4]));
        Assert.Equal([4], File.ReadAllBytes(path));
        Assert.Single(Directory.GetFileSystemEntries(folder["a/b"]));
    }

    [Fact]
    public void WriteText_IsUtf8WithoutMark()
    {
        AtomicFile.WriteText(folder["t.txt"], "grüße\n");
        Assert.Equal(Encoding.UTF8.GetBytes("grüße\n"), File.ReadAllBytes(folder["t.txt"]));
    }

    [Fact]
    public void Write_AcceptsARelativePath()
    {
        string name = $"tinyllm-{Guid.NewGuid():N}.txt";
        try
        {
            AtomicFile.WriteText(name, "x");
            Assert.Equal("x", File.ReadAllText(name));
        }
        finally
        {
            File.Delete(name);
        }
    }

    [Fact]
    public void Write_WhileWriting_TheEarlierVersionIsWhole()
    {
        string path = folder.Write("f", "old");
        AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[1 << 20]);
            Assert.Equal("old", File.ReadAllText(path));
        });
        Assert.Equal(1 << 20, new FileInfo(path).Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Write_FullDisk_KeepsTheEarlierVersion(bool exists)
    {
        string path = folder["f"];
        if (exists)
            folder.Write("f", "old");
        var full = new IOException(
            "No space left on device : '/x'", OperatingSystem.IsWindows() ? unchecked((int)0x80070070) : 28);
        TinyLlmException error = UserError.Expect(() => AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[100_000]);
            throw full;
        }), path, "the disk is full", "free some space");

        Assert.Same(full, error.InnerException);
        Assert.Equal(exists, error.Message.Contains("the earlier version is kept", StringComparison.Ordinal));
        Assert.Equal(exists ? ["f"] : [], folder.Names);
        if (exists)
            Assert.Equal("old", File.ReadAllText(path));
    }

    [Fact]
    public void Write_OtherException_PassesAndRemovesTheTemporaryFile()
    {
        string path = folder.Write("f", "old");
        Assert.Throws<InvalidOperationException>(
            () => AtomicFile.Write(path, _ => throw new InvalidOperationException("x")));
        Assert.Equal(["f"], folder.Names);
        Assert.Equal("old", File.ReadAllText(path));
    }

    [Fact]
    public void Write_OntoAFolder_IsRefused()
    {
        Directory.CreateDirectory(folder["d"]);
        UserError.Expect(() => AtomicFile.WriteText(folder["d"], "x"), folder["d"]);
        Assert.Equal(["d"], folder.Names);
    }

    [Fact]
    public void Write_BelowAFile_IsRefused()
    {
        folder.Write("f", "old");
        UserError.Expect(() => AtomicFile.WriteText(folder["f/g"], "x"), folder["f/g"]);
        Assert.Equal("old", File.ReadAllText(folder["f"]));
    }

    [Fact]
    public void Write_AfterAKill_ReplacesWhatWasLeft()
    {
        string path = folder.Write("f", "old");
        folder.Write("f" + AtomicFile.TemporarySuffix, "half of a much longer text");
        AtomicFile.WriteText(path, "new");
        Assert.Equal(["f"], folder.Names);
        Assert.Equal("new", File.ReadAllText(path));
    }
}
