using System.Text.Json;
using TinyLlm.Cli;
using TinyLlm.Cli.Commands;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary><c>tinyllm data stats</c>.</summary>
public class DataStatsCommandTests
{
    [Fact]
    public void Stats_CountWhatThereIs()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.txt", "One line.\nTwo l\u00efnes.");
        folder.Write("b.jsonl", "{\"text\": \"same\"}\nbad\n{\"text\": \"same\"}\n\n{\"text\": \"\"}\n{\"text\": "
            + "\"other\\n\"}\n");
        using var json = Run(folder, "--data", folder["a.txt"], "--data", folder["*.jsonl"]);
        var all = json.RootElement;

        Assert.Equal(
            (4, 35, 34, 5),
            (Number(all, "documents"), Number(all, "bytes"), Number(all, "characters"), Number(all, "lines")));
        Assert.Equal(
            (1, 1, 0, 1),
            (Number(all, "empty_documents"), Number(all, "duplicate_documents"), Number(all, "documents_not_utf8"),
                Number(all, "bad_lines")));
        Assert.Equal(
            (folder["b.jsonl"], 2),
            (all.GetProperty("first_bad_lines")[0].GetProperty("file").GetString(),
                Number(all.GetProperty("first_bad_lines")[0], "line")));
        Assert.Equal(JsonValueKind.Null, all.GetProperty("tokens").ValueKind);
        Assert.Equal([1, 3], all.GetProperty("sources").EnumerateArray().Select(source => Number(source, "documents")));
        Assert.Equal(
            ["4-7: 3", "8-15: 0", "16-31: 1"],
            all.GetProperty("document_bytes").GetProperty("histogram").EnumerateArray()
                .Select(bar => $"{Number(bar, "from")}-{Number(bar, "to")}: {Number(bar, "documents")}"));
    }

    [Fact]
    public void Stats_CountTokens()
    {
        using var folder = new TemporaryFolder();
        var tokenizer = BpeTrainer.Train("some words, and some more words"u8, 280);
        tokenizer.Save(folder["tokenizer"]);
        string[] texts = ["some words", "some more", "x"];
        folder.Write("a.jsonl", string.Concat(texts.Select(text => $"{{\"text\": \"{text}\"}}\n")));
        using var json = Run(folder, "--data", folder["a.jsonl"], "--tokenizer", folder["tokenizer"]);

        int[] expected = [.. texts.Select(text => tokenizer.Encode(text).Length)];
        Assert.Equal(expected.Sum(), Number(json.RootElement, "tokens"));
        Assert.Equal(20.0 / expected.Sum(), json.RootElement.GetProperty("bytes_per_token").GetDouble());
        Assert.Equal(
            (expected.Min(), expected.Max()),
            (Number(json.RootElement.GetProperty("document_tokens"), "shortest"),
                Number(json.RootElement.GetProperty("document_tokens"), "longest")));
    }

    [Fact]
    public void Stats_WithoutADocument_AreRefused()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.jsonl", "bad\nworse\n");
        UserError.Expect(() => Run(folder, "--data", path), path, "no document", "2 bad lines", "line 1");
        UserError.Expect(() => Run(folder, "--data", path, "--strict"), path, "line 1");
        Assert.Equal(["a.jsonl"], folder.Names);
    }

    [Fact]
    public void Stats_OfTokens_AreRefused()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("a.bin", [1, 2]);
        UserError.Expect(() => Run(folder, "--data", path), path, "token ids");
    }

    private static JsonDocument Run(TemporaryFolder folder, params string[] words)
    {
        string file = folder["stats.json"];
        Assert.Equal(
            ExitCode.Done,
            DataStatsCommand.Create().Parse([.. words, "--json", file])
            .Invoke(new() { EnableDefaultExceptionHandler = false }));
        return JsonDocument.Parse(File.ReadAllText(file));
    }

    private static int Number(JsonElement element, string name) => element.GetProperty(name).GetInt32();
}
