using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// A disk that is full, or a file that may not grow, in the middle of a checkpoint: nothing good is lost.
/// </summary>
[Trait("Speed", "Slow")]
public sealed class FullDiskTests(FullDiskTests.Fixture fixture) : IClassFixture<FullDiskTests.Fixture>
{
    private const string Run =
        "pretrain --data text.txt --preset tiny --layers 1 --width 64 --heads 2 --context 16 --tokenizer byte "
        + "--threads 1 --batch-size 2 "
        + "--steps 6 --sample-every 0 --checkpoint-every 1 --eval-every 2 --optimizer adamw";

    private readonly SmallRun run = fixture.Run;

    // In kB. A model takes 290, a checkpoint 920; a run at its end has a checkpoint and two models.
    [Theory]
    [InlineData(4)]
    [InlineData(700)]
    [InlineData(1100)]
    [InlineData(1700)]
    [InlineData(2000)]
    public void AFullDisk_EndsTheRunWithOneLine_AndLosesNothing(int kilobytes)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux mounts a small disk so easily.");
        string disk = $"disk-{kilobytes}";
        Directory.CreateDirectory(run[disk]);
        var mounted = run.CommandLine.RunInShell($"mount -t tmpfs -o size={kilobytes}k tmpfs {disk}");
        Assert.SkipWhen(mounted.ExitCode != 0, "Mounting a small disk needs rights that the tests have not: "
            + $"{mounted.Error.Trim()}");
        try
        {
            CheckFailed(run.CommandLine.Run($"{Run} --out {disk}/run"), "the disk is full");
            CheckGoesOn(
                $"{disk}/run", () =>
                    Assert.Equal(0, run.CommandLine.RunInShell($"mount -o remount,size=20m {disk}").ExitCode));
        }
        finally
        {
            run.CommandLine.RunInShell($"umount {disk}");
        }
    }

    [Fact]
    public void AFileThatMayNotGrow_EndsTheRunWithOneLine_AndLosesNothing()
    {
        Assert.SkipUnless(
            OperatingSystem.IsLinux(), "Only Linux is known to report this limit as an error of the write.");
        run.Succeed($"{Run} --out limited --stop-after 2");

        // 512 kB a file, which the optimiser's state passes. The runtime maps its code into a file of its own, unless
        // it is told not to.
        var result = run.CommandLine.RunInShell("trap '' XFSZ; ulimit -f 1024; DOTNET_EnableWriteXorExecute=0 exec "
            + "\"$TINYLLM\" pretrain --out limited --resume");

        CheckFailed(result, "the file is larger than");
        Assert.Equal("step-00000002", Path.GetFileName(run.Checkpoint("limited")));
        CheckGoesOn("limited", () => { });
    }

    private static void CheckFailed(CommandResult result, string part)
    {
        Assert.True(result.ExitCode == 2, $"exit code {result.ExitCode}: {result.Error}");
        Assert.Equal("", result.Text);
        string line = Assert.Single(result.ErrorLines, l => l.StartsWith("tinyllm: ", StringComparison.Ordinal));
        Assert.Equal(line, result.ErrorLines[^1]);
        Assert.Contains(part, line, StringComparison.Ordinal);
    }

    // The last checkpoint is whole, nothing half-written lies about, and with room the run ends as the undisturbed one
    // did.
    private void CheckGoesOn(string name, Action makeRoom)
    {
        bool begun = run.Checkpoint(name) is not null;
        if (Directory.Exists(run[name]))
        {
            Assert.DoesNotContain(
                FolderContent.Of(run[name]), line => line.Contains(".tinyllm-", StringComparison.Ordinal));
        }

        if (begun)
            run.Succeed($"generate --model {run.Checkpoint(name)} --prompt a --max-tokens 2 --threads 1");
        makeRoom();
        run.Succeed(begun ? $"pretrain --out {name} --resume" : $"{Run} --out {name} --force");
        FolderContent.SameCheckpoint(run.Checkpoint("whole")!, run.Checkpoint(name)!);
        Assert.Equal(run.Metrics("whole"), run.Metrics(name));
    }

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            Run.Succeed($"{FullDiskTests.Run} --out whole");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
