using TinyLlm.Tests.Support;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Training;

public sealed class RunFolderTests : IDisposable
{
    private const string InUse = "another process is training in this folder";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Also with force, which would remove what the other run has written.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFolderInUse_IsNotOpenedAgain(bool force)
    {
        using var run = RunFolder.Create(folder["run"], force: false);

        UserError.Expect(() => RunFolder.Create(folder["run"], force), InUse, folder["run"]);
        UserError.Expect(() => RunFolder.Resume(folder["run"]), InUse, folder["run"]);
    }

    [Fact]
    public void WhatTheOtherRunWroteMeanwhile_IsKept()
    {
        using var run = RunFolder.Create(folder["run"], force: false);
        string half =
            Directory.CreateDirectory(folder["run/checkpoints/step-00000001" + AtomicFile.TemporarySuffix]).FullName;
        string[] written = [folder.Write("run/metrics.jsonl", "{}"), Path.Combine(half, "half")];
        File.WriteAllText(written[1], "x");

        UserError.Expect(() => RunFolder.Create(folder["run"], force: true), InUse);
        UserError.Expect(() => RunFolder.Resume(folder["run"]), InUse);

        Assert.All(written, path => Assert.True(File.Exists(path), path));
    }

    [Fact]
    public void AFolderThatWasLetGo_IsOpenedAgain_AndHasNoLock()
    {
        RunFolder.Create(folder["run"], force: false).Dispose();
        Assert.Empty(Directory.GetFileSystemEntries(folder["run"]));

        RunFolder.Create(folder["run"], force: false).Dispose();
    }

    /// <summary>A killed process cannot remove the file; the system takes the lock back.</summary>
    [Fact]
    public void TheFileAlone_LocksNothing()
    {
        Directory.CreateDirectory(folder["run"]);
        folder.Write($"run/{RunLock.Name}", "");

        using var run = RunFolder.Create(folder["run"], force: false);
        Assert.Equal(folder["run"], run.Root);
    }

    /// <summary>A refused resume does not keep the folder.</summary>
    [Fact]
    public void AFolderWithoutCheckpoint_IsLetGo()
    {
        Directory.CreateDirectory(folder["run"]);
        UserError.Expect(() => RunFolder.Resume(folder["run"]), "holds no checkpoint");
        RunFolder.Create(folder["run"], force: false).Dispose();
    }
}
