using TinyLlm.Data.Downloads;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>tinyllm data list and get, against a server on this machine in place of the sets' hosts.</summary>
public sealed class DataCommandTests : IDisposable
{
    private static readonly byte[] Text = "Some lines of text,\nand no more.\n"u8.ToArray();

    private readonly TemporaryFolder folder = new();
    private readonly CommandLine commandLine;

    public DataCommandTests() => commandLine = new CommandLine(folder.Path);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Help_IsOnStdout()
    {
        Assert.Matches(@"\n +data ", commandLine.Run("--help").Text);
        Assert.Matches(@"\n +list .*\n +get ", commandLine.Run("data --help").Text);
        var help = commandLine.Run("data get --help");
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        foreach (string part in new[] { "tinyllm data get <NAME>", "--out <DIR>", "datasets/NAME", "--url-base <URL>",
            "--accept-new" })
            Assert.Contains(part, help.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void List_HasEverySet_WithSizeLicenceAndSource()
    {
        var list = commandLine.Run("data list");
        Assert.Equal((0, ""), (list.ExitCode, list.Error));
        foreach (var set in DataSets.All)
        {
            Assert.Matches($@"\n{set.Name} +[\d?].* (pretrain|finetune) +{set.Licence} +-\n", list.Text);
            Assert.Contains(set.Page + "\n", list.Text, StringComparison.Ordinal);
        }

        Assert.Matches(@"\nbuiltin:stories +- +pretrain +MIT +built in\n", list.Text);
        Assert.Matches(@"\nbuiltin:questions +- +finetune +MIT +built in\n", list.Text);
        Assert.Contains("28.5 GB", list.Text, StringComparison.Ordinal);
        Assert.All(list.Text.Split('\n'), line => Assert.InRange(line.Length, 0, 140));
    }

    [Fact]
    public void Get_Downloads_NamesTheNextCommand_AndThenFindsItThere()
    {
        using var server = new LoopbackServer(request => LoopbackAnswer.File(request, Text));
        var got = commandLine.Run($"data get tinystories-instruct --url-base {server.Address}");
        Assert.True(got.ExitCode == 0, got.Error);
        string train = Path.Combine("datasets", "tinystories-instruct", "TinyStories-Instruct-train.txt"),
            valid = train.Replace("train", "valid", StringComparison.Ordinal);
        Assert.StartsWith($"tinystories-instruct is now in {Path.Combine("datasets", "tinystories-instruct")}: "
            + "TinyStories-Instruct-train.txt, ", got.Text, StringComparison.Ordinal);
        Assert.EndsWith($" pretrain --data {train} --val-data {valid}\n", got.Text, StringComparison.Ordinal);
        Assert.Equal(Text, File.ReadAllBytes(folder[train]));
        Assert.Contains("TinyStories-Instruct-train.txt: 33 B of 33 B (100%)", got.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(got.Error, c => char.IsControl(c) && c != '\n');
        Assert.All(server.Requests,
            request => Assert.StartsWith(
                "/datasets/roneneldan/TinyStoriesInstruct/resolve/", request.Path, StringComparison.Ordinal));

        // Offline from here on: nothing is asked for.
        var again = commandLine.Run($"data get tinystories-instruct --url-base {server.Address}");
        Assert.StartsWith("tinystories-instruct is already in ", again.Text, StringComparison.Ordinal);
        Assert.Equal(2, server.Requests.Length);
        Assert.Matches(@"\ntinystories-instruct .* datasets.tinystories-instruct\n", commandLine.Run("data list").Text);
    }

    [Fact]
    public void Get_OfQuestions_SuggestsFinetune_InTheFolderThatWasNamed()
    {
        using var server = new LoopbackServer(request => LoopbackAnswer.File(request, Text));
        var got = commandLine.Run($"data get gsm8k --out here --accept-new --url-base {server.Address}");
        Assert.True(got.ExitCode == 0, got.Error);
        Assert.EndsWith(
            $" finetune --model DIR --data {Path.Combine("here", "gsm8k-train.jsonl")}\n", got.Text,
            StringComparison.Ordinal);
        Assert.Equal(
            [".sums.json", "gsm8k-test.jsonl", "gsm8k-train.jsonl"],
            FolderContent.Of(folder["here"]).Select(line => line.Split(' ')[0]));
    }

    [Fact]
    public void Get_IsInterrupted_WithWhatCameKept_AndGoesOn()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        byte[] big = new byte[1_000_000];
        new Random(4).NextBytes(big);
        bool stalls = true;
        using var server = new LoopbackServer(
            request => LoopbackAnswer.File(request, big) is var whole && stalls
            ? whole with { Sends = 400_000, Stalls = true } : whole);

        using var command = commandLine.Start($"data get tinystories-instruct --url-base {server.Address}");
        string part = folder[Path.Combine("datasets", "tinystories-instruct", "TinyStories-Instruct-train.txt.part")];
        command.WaitFor(() => File.Exists(part) && new FileInfo(part).Length == 400_000, "400,000 bytes");
        command.Signal(15);
        var interrupted = command.Finish();
        Assert.Equal((130, ""), (interrupted.ExitCode, interrupted.Text));
        Assert.Equal(
            "Interrupted; 400.0 kB of TinyStories-Instruct-train.txt are kept. The same command goes on.",
            interrupted.ErrorLines[^1]);
        Assert.Equal(400_000, new FileInfo(part).Length);
        Assert.Matches(@"\ntinystories-instruct .* in part: ", commandLine.Run("data list").Text);

        stalls = false;
        var done = commandLine.Run($"data get tinystories-instruct --url-base {server.Address}");
        Assert.True(done.ExitCode == 0, done.Error);
        Assert.Equal([0, 400_000, 0], server.Requests.Select(r => r.Start));
        Assert.Equal(big, File.ReadAllBytes(part[..^".part".Length]));
    }

    [Theory]
    [InlineData("data get tinystory", "there is no set \"tinystory\"; expected one of dolly, ")]
    [InlineData("data get gsm8k --url-base nowhere", "--url-base nowhere: expected a host, such as https://")]
    [InlineData("data get gsm8k --url-base ftp://a.b", "--url-base ftp://a.b: expected a host")]
    [InlineData("data get gsm8k --url-base https://a.b/c", "--url-base https://a.b/c: expected a host")]
    public void Get_RefusesWordsItDoesNotKnow(string words, string part)
    {
        SmallRun.CheckRefused(commandLine.Run(words), 2, part);
        Assert.Empty(folder.Names);
    }

    [Theory]
    [InlineData("data get")]
    [InlineData("data")]
    [InlineData("data get gsm8k dolly")]
    [InlineData("data list gsm8k")]
    public void TheParser_RefusesTooFewAndTooManyWords(string words) =>
        SmallRun.CheckRefused(commandLine.Run(words), 1);

    [Fact]
    public void Get_FailsWithOneLine_AndLeavesNothing()
    {
        using var server = new LoopbackServer(_ => new LoopbackAnswer(404, []));
        SmallRun.CheckRefused(
            commandLine.Run($"data get tinyshakespeare --url-base {server.Address}"), 2,
            $"{server.Address}karpathy/char-rnn/", "there is no such file (HTTP 404)",
            "https://github.com/karpathy/char-rnn");
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void Get_SaysThatTheDiskIsTooSmall_BeforeItStarts()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux mounts a small disk so easily.");
        Directory.CreateDirectory(folder["disk"]);
        var mounted = commandLine.RunInShell("mount -t tmpfs -o size=64k tmpfs disk");
        Assert.SkipWhen(mounted.ExitCode != 0, "Mounting a small disk needs rights that the tests have not: "
            + $"{mounted.Error.Trim()}");
        try
        {
            using var server = new LoopbackServer(request => LoopbackAnswer.File(request, Text));
            SmallRun.CheckRefused(
                commandLine.Run($"data get tinyshakespeare --out disk/set --url-base {server.Address}"), 2,
                "needs 1,115,394 bytes more, and its disk has 65,536 free");
            Assert.Empty(server.Requests);
            Assert.Empty(Directory.GetFileSystemEntries(folder["disk"]));
        }
        finally
        {
            commandLine.RunInShell("umount disk");
        }
    }
}
