using TinyLlm.Data;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data;

public sealed class PreferenceFileTests : IDisposable
{
    private const string Prompt = """{"prompt":[{"role":"user","content":"Café?"}],""";

    private static readonly ChatMessage[] Question = [new("user", "Caf\u00E9?")];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AGoodAndABadAnswer_MakeAPair()
    {
        var file = new PreferenceFile(folder["p.jsonl"]);
        Assert.Equal(0, file.Rate(Question, "one", good: false));
        Assert.Equal(0, file.Rate(Question, "two \"quoted\"\n", good: false));
        Assert.Equal(2, file.Rate(Question, "three", good: true));

        // To another prompt.
        Assert.Equal(0, file.Rate([new("system", "s"), .. Question], "one", good: false));
        Assert.Equal(
        [
            Prompt + """ "completion":[{"role":"assistant","content":"one"}],"label":false}""",
            Prompt + """ "completion":[{"role":"assistant","content":"two \"quoted\"\n"}],"label":false}""",
            Prompt + """ "completion":[{"role":"assistant","content":"three"}],"label":true}""",
            Prompt + """ "chosen":[{"role":"assistant","content":"three"}],"rejected":[{"role":"assistant","content":"one"}]}""",
            Prompt + """ "chosen":[{"role":"assistant","content":"three"}],"rejected":[{"role":"assistant","content":"two \"quoted\"\n"}]}""",
            """{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"Café?"}],"completion":[{"role":"assistant","content":"one"}],"label":false}""",
        ], File.ReadAllLines(folder["p.jsonl"]).Select((line, i) => i < 5 ? line.Insert(Prompt.Length, " ") : line));
    }

    [Fact]
    public void AnAnswer_IsRatedOnce()
    {
        var file = new PreferenceFile(folder["p.jsonl"]);
        file.Rate(Question, "one", good: true);
        foreach (bool good in new[] { true, false })
            UserError.Expect(() => file.Rate(Question, "one", good), "rated good before");
        Assert.Single(File.ReadAllLines(folder["p.jsonl"]));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("{\"a\":1}\n", "{\"a\":1}\n")]
    [InlineData("{\"a\":1}", "{\"a\":1}\n")]
    public void Rows_AreAppended_EachOnALineOfItsOwn(string before, string expected)
    {
        string path = folder.Write("rows.jsonl", before);
        JsonLinesFile.Append(path, Question);
        JsonLinesFile.Append(path, [.. Question, new("assistant", "")]);
        string text = File.ReadAllText(path);
        Assert.StartsWith(expected, text, StringComparison.Ordinal);
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        folder.Write("new.jsonl", text[expected.Length..]);
        var rows = ChatRows.Read(folder["new.jsonl"]).ToList();
        Assert.Equal(2, rows.Count);
        Assert.Equal(Question, rows[0].Messages);
        Assert.Equal([.. Question, new("assistant", "")], rows[1].Messages);
    }

    [Fact]
    public void AFileThatCannotBeWritten_IsNamed() =>
        UserError.Expect(
            () => new PreferenceFile(folder["no/such/p.jsonl"]).Prefer(Question, "a", "b"), "no/such/p.jsonl",
            "could not be written");
}
