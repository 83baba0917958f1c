using System.Text;
using System.Text.Json;
using Xunit;

namespace TinyLlm.Tests.Support;

/// <summary>
/// A folder with a small text and small conversations, in which commands run with a model that trains in a second.
/// </summary>
public sealed class SmallRun : IDisposable
{
    /// <summary>
    /// Sizes of the model: a step takes a millisecond. One thread: several would wait for each other more than they
    /// work.
    /// </summary>
    public const string Sizes = "--preset tiny --layers 1 --width 32 --heads 2 --tokenizer byte --threads 1";

    /// <summary>A model and a batch; no evaluations, samples or checkpoints on the way.</summary>
    public const string Pretrain = $"pretrain --data text.txt {Sizes} --context 16 --batch-size 2 --eval-every 0 "
        + "--sample-every 0 --checkpoint-every 0";

    public SmallRun()
    {
        Folder = new TemporaryFolder();
        Folder.Write("text.txt", Text(6000));
        Folder.Write("rows.jsonl", Rows(40));
        CommandLine = new CommandLine(Folder.Path);
    }

    public TemporaryFolder Folder { get; }

    public CommandLine CommandLine { get; }

    public string this[string name] => Folder[name];

    /// <summary>Runs a command that must succeed.</summary>
    public CommandResult Succeed(string words, params string[] more)
    {
        var result = CommandLine.Run(words, more);
        Assert.True(result.ExitCode == 0, $"tinyllm {words} {string.Join(' ', more)}: exit code "
            + $"{result.ExitCode}\n{result.Error}");
        return result;
    }

    /// <summary>
    /// Runs a command that must be refused by one line with these parts, and leave every file as it was.
    /// </summary>
    public void Refuse(string words, params string[] parts)
    {
        var before = FolderContent.Of(Folder.Path);
        var result = CommandLine.Run(words);
        CheckRefused(result, 2, parts);
        Assert.Equal(before, FolderContent.Of(Folder.Path));
    }

    /// <summary>
    /// A command ended with this code, nothing on stdout and one line on stderr that has these parts.
    /// </summary>
    public static void CheckRefused(CommandResult result, int exitCode, params string[] parts)
    {
        Assert.True(
            result.ExitCode == exitCode, $"exit code {result.ExitCode}, expected {exitCode}; stderr: {result.Error}");
        Assert.Equal("", result.Text);
        string line = Assert.Single(result.ErrorLines);
        Assert.StartsWith("tinyllm: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain(line, char.IsControl);
        foreach (string part in parts)
            Assert.Contains(part, line, StringComparison.Ordinal);
    }

    /// <summary>The newest checkpoint of a run, null where there is none.</summary>
    public string? Checkpoint(string run) => !Directory.Exists(Folder[$"{run}/checkpoints"])
        ? null
        : Directory.GetDirectories(Folder[$"{run}/checkpoints"], "step-????????").Order(StringComparer.Ordinal)
            .LastOrDefault();

    /// <summary>What the lines of a run's log say that does not depend on the clock.</summary>
    public string[] Metrics(string run) => [.. File.ReadLines(Folder[$"{run}/metrics.jsonl"]).Select(line =>
    {
        using var json = JsonDocument.Parse(line);
        return string.Join(
            ' ', json.RootElement.EnumerateObject().Where(p => p.Name is not ("seconds" or "tokens_per_second"))
            .Select(p => $"{p.Name} {p.Value}"));
    })];

    /// <summary>Sentences of a few words, the same every time.</summary>
    public static string Text(int length, int seed = 3)
    {
        string[] words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "one", "small", "dog", "near", "old",
            "red", "barn", "in", "rain", "caf\u00E9"];
        var random = new Random(seed);
        var text = new StringBuilder();
        while (text.Length < length)
        {
            for (int i = random.Next(4, 9); i >= 0; i--)
                text.Append(words[random.Next(words.Length)]).Append(i > 0 ? " " : ".\n");
        }

        return text.ToString();
    }

    private static string Rows(int count)
    {
        var random = new Random(5);
        return string.Concat(
            Enumerable.Range(0, count)
            .Select(i =>
                $"{{\"question\": \"{random.Next(10)} {i}?\", \"answer\": \"{(char)('a' + random.Next(26))}{i}\"}}\n"));
    }

    public void Dispose() => Folder.Dispose();
}
