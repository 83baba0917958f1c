using System.Diagnostics;
using System.Text;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Data.Sources;

/// <summary>Named pipes as data: read once, for all who ask.</summary>
public sealed class SpooledInputTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ThePipe_IsWhatItsFirstBytesSay()
    {
        byte[] rows = Encoding.UTF8.GetBytes(
            "\n{\"question\":\"a\",\"answer\":\"b\"}\n{\"question\":\"c\",\"answer\":\"d\"}\n"),
            text = Encoding.UTF8.GetBytes("{some text,\nno JSON}\n");
        byte[] documents = Encoding.UTF8.GetBytes("{\"text\":\"one\"}\n{\"text\":\"two\"}\n");

        Assert.Equal(["{some text,\nno JSON}\n"], SourceReading.Texts(Pipe("text", text)));
        Assert.Equal(["one", "two"], SourceReading.Texts(Pipe("documents", documents)));
        Assert.Equal(["one", "two"],
            SourceReading.Texts(Pipe("documents.gz", SourceReading.Compress(documents, ".gz"))));
        Assert.Equal(["t"], SourceReading.Texts(Pipe("table", SourceReading.Parquet("text", ["t"]))));
        string array = Pipe("array", "[{\"question\":\"a\",\"answer\":\"b\"}]"u8.ToArray());
        Assert.True(ChatData.IsChat(array, null));
        Assert.Single(ChatRows.Read(array));

        // All who read it find all of it, under its own name.
        string pipe = Pipe("rows", rows);
        Assert.True(ChatData.IsChat(pipe, null));
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal([$"{pipe}, line 2", $"{pipe}, line 3"], ChatRows.Read(pipe).Select(row =>
                row.Place!.ToString()));
        }

        Assert.Equal(SourceReading.Source(pipe).Fingerprint, SourceReading.Source(pipe).Fingerprint);
    }

    [Fact]
    public void AnEmptyPipe_IsAnEmptyFile()
    {
        UserError.Expect(() => DataSource.Parse([Pipe("empty", [])], new SourceOptions()), "empty: the file is empty");
        UserError.Expect(() => ChatRows.Read(Pipe("empty2", [])).Count(), "empty2: has no rows");
    }

    [Fact]
    public void AnArchiveInAPipe_IsRefused() =>
        UserError.Expect(() => Pipe("zip", "PK\u0003\u0004 and so on"u8.ToArray()), "zip: this is a ZIP archive");

    [Fact]
    public async Task APipe_FromWhichNothingComes_CanBeLeft()
    {
        string path = Make("silent");
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        var clock = Stopwatch.StartNew();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Task.Run(() => SpooledInput.TakeAll([path], stop.Token), TestContext.Current.CancellationToken));
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 20);
        // Lets the reader's thread end.
        await File.WriteAllTextAsync(path, "late", TestContext.Current.CancellationToken);
    }

    [Fact]
    public void OrdinaryFiles_AreLeftAlone()
    {
        SpooledInput.TakeAll([folder.Write("a.txt", "text"), folder.Write("b.txt", ""), folder["none"],
            "builtin:stories", folder.Path], TestContext.Current.CancellationToken);
        Assert.All((string[])["a.txt", "b.txt", "none"], name => Assert.Null(SpooledInput.Find(folder[name])));
    }

    // A named pipe that was read, with a weight behind its name as data may have.
    private string Pipe(string name, byte[] bytes)
    {
        string path = Make(name);
        var writing = Task.Run(() => File.WriteAllBytes(path, bytes));
        SpooledInput.TakeAll([path + "=0.5"], TestContext.Current.CancellationToken);
        writing.Wait(TestContext.Current.CancellationToken);
        return path;
    }

    private string Make(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no named pipes among files.");
        using var made = Process.Start("mkfifo", folder[name]);
        made.WaitForExit();
        Assert.Equal(0, made.ExitCode);
        return folder[name];
    }
}
