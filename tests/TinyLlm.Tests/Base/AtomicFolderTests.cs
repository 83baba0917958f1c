using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Model;

public sealed class AtomicFolderTests : IDisposable
{
    private const string New = "m" + AtomicFile.TemporarySuffix, Old = "m" + AtomicFolder.AsideSuffix;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private void Make(string name, string text, bool whole = true)
    {
        Directory.CreateDirectory(folder[$"{name}/sub"]);
        File.WriteAllText(folder[$"{name}/a"], text);
        if (whole)
            File.WriteAllText(folder[$"{name}/sub/b"], text);
    }

    private static void Build(string path, string text)
    {
        Directory.CreateDirectory(Path.Combine(path, "sub"));
        File.WriteAllText(Path.Combine(path, "a"), text);
        AtomicFile.WriteText(Path.Combine(path, "sub", "b"), text);
    }

    private void CheckOnly(string text)
    {
        Assert.Equal(["m"], folder.Names);
        Assert.Equal(text, File.ReadAllText(folder["m/a"]));
        Assert.Equal(text, File.ReadAllText(folder["m/sub/b"]));
        Assert.Equal(2, Directory.GetFileSystemEntries(folder["m"]).Length);
        Assert.Single(Directory.GetFileSystemEntries(folder["m/sub"]));
    }

    [Theory]
    [InlineData("m")]
    [InlineData("m/")]
    public void Write_CreatesAndReplaces(string name)
    {
        AtomicFolder.Write(folder[name], path => Build(path, "one"));
        CheckOnly("one");
        File.WriteAllText(folder["m/only-in-one"], "x");
        AtomicFolder.Write(folder[name], path =>
        {
            Assert.Equal("one", File.ReadAllText(folder["m/a"]));
            Assert.Empty(Directory.GetFileSystemEntries(path));
            Build(path, "two");
        });
        CheckOnly("two");
    }

    [Fact]
    public void Write_MakesTheParent()
    {
        AtomicFolder.Write(folder["x/y/m"], path => Build(path, "one"));
        Assert.Equal("one", File.ReadAllText(folder["x/y/m/sub/b"]));
    }

    [Fact]
    public void Write_FullDisk_KeepsTheEarlierVersionAndNamesTheFolder()
    {
        Make("m", "old");
        var full = new IOException("No space left", OperatingSystem.IsWindows() ? unchecked((int)0x80070070) : 28);
        TinyLlmException error = UserError.Expect(() => AtomicFolder.Write(folder["m"], path =>
        {
            Build(path, "new");
            AtomicFile.Write(Path.Combine(path, "c"), _ => throw full);
        }), folder["m"] + ":", "the disk is full", "the earlier version is kept");
        Assert.DoesNotContain(AtomicFile.TemporarySuffix, error.Message, StringComparison.Ordinal);
        CheckOnly("old");
    }

    [Fact]
    public void Write_OtherException_PassesAndCleansUp()
    {
        Make("m", "old");
        var mine = new TinyLlmException("The model has no weights; expected some.");
        Assert.Same(mine, Assert.Throws<TinyLlmException>(() => AtomicFolder.Write(folder["m"], path =>
        {
            Build(path, "new");
            throw mine;
        })));
        CheckOnly("old");
    }

    [Fact]
    public void Write_OntoAFile_IsRefused()
    {
        folder.Write("m", "a file");
        UserError.Expect(
            () => AtomicFolder.Write(folder["m"], path => Build(path, "new")), folder["m"], "this is a file");
        Assert.Equal(["m"], folder.Names);
        Assert.Equal("a file", File.ReadAllText(folder["m"]));
    }

    // Every state that a kill can leave, in the order of the writer's actions; the last is one where someone tidied up
    // by hand.
    public static TheoryData<string[], string> Interrupted => new()
    {
        { ["m old", New + " half"], "old" },
        { ["m old", New + " new"], "old" },
        { [Old + " old", New + " new"], "old" },
        { [Old + " old", "m new"], "new" },
        { [Old + " half", "m new"], "new" },
        { ["m new"], "new" },
        { [Old + " old"], "old" },
    };

    [Theory]
    [MemberData(nameof(Interrupted))]
    public void Recover_RepairsEveryInterruptedState(string[] state, string expected)
    {
        Assert.NotNull(state);
        Arrange(state);
        string found = AtomicFolder.Find(folder["m"])!;
        Assert.Equal(expected, File.ReadAllText(Path.Combine(found, "sub", "b")));
        AtomicFolder.Recover(folder["m"]);
        CheckOnly(expected);
        AtomicFolder.Recover(folder["m"]);
        CheckOnly(expected);
    }

    [Theory]
    [MemberData(nameof(Interrupted))]
    public void RecoverAll_RepairsEveryInterruptedState(string[] state, string expected)
    {
        Assert.NotNull(state);
        Arrange(state);
        AtomicFolder.RecoverAll(folder.Path);
        CheckOnly(expected);
    }

    [Theory]
    [MemberData(nameof(Interrupted))]
    public void Write_AfterEveryInterruptedState_Replaces(string[] state, string expected)
    {
        Assert.NotNull(state);
        Assert.NotNull(expected);
        Arrange(state);
        AtomicFolder.Write(folder["m"], path => Build(path, "newest"));
        CheckOnly("newest");
    }

    [Fact]
    public void Recover_OfAFirstWriteThatWasKilled_LeavesNothing()
    {
        Make(New, "half", whole: false);
        Assert.Null(AtomicFolder.Find(folder["m"]));
        AtomicFolder.Recover(folder["m"]);
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void RecoverAll_LeavesOtherFoldersAlone()
    {
        Make("m.old", "mine");
        Make("other.tmp", "mine");
        AtomicFolder.RecoverAll(folder.Path);
        AtomicFolder.RecoverAll(folder["absent"]);
        Assert.Equal(["m.old", "other.tmp"], folder.Names);
        Assert.False(AtomicFolder.IsTemporary(folder["m.old"]));
        Assert.True(AtomicFolder.IsTemporary(folder[New]));
        Assert.True(AtomicFolder.IsTemporary(folder[Old]));
    }

    private void Arrange(string[] state)
    {
        foreach (string[] part in state.Select(s => s.Split(' ')))
            Make(part[0], part[1], whole: part[1] != "half");
    }
}
