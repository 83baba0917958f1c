using System.Text;
using TinyLlm.Data;
using TinyLlm.Tests.Data.Sources;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data;

public sealed class ChatRowsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private Conversation[] Read(string text) => [.. ChatRows.Read(folder.Write("rows.jsonl", text))];

    private static void CheckPair(Conversation row, string user, string assistant) =>
        Assert.Equal([new ChatMessage("user", user), new ChatMessage("assistant", assistant)], row.Messages);

    [Fact]
    public void Read_Messages()
    {
        Conversation[] rows = Read("""
            {"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":""}]}
            {"id":7,"messages":[{"content":"only \"me\"\n\u00e9 \ud83d\ude00","role":"user","name":null}],"prompt":3}
            """);
        Assert.Equal(2, rows.Length);
        Assert.Equal(
            [new ChatMessage("system", "Be brief."), new ChatMessage("user", "Hi"), new ChatMessage("assistant", "")],
            rows[0].Messages);
        Assert.Equal([new ChatMessage("user", "only \"me\"\né 😀")], rows[1].Messages);
    }

    [Theory]
    [InlineData("""{"prompt":"a b","completion":"c"}""", "a b")]
    [InlineData("""{"answer":"c","more":[1,{"x":2}],"question":"a"}""", "a")]
    [InlineData("""{"instruction":"a","output":"c"}""", "a")]
    [InlineData("""{"instruction":"a","input":"","output":"c"}""", "a")]
    [InlineData("""{"instruction":"a","input":null,"output":"c"}""", "a")]
    [InlineData("""{"instruction":"a","input":"b","output":"c"}""", "a\n\nb")]
    [InlineData("""{"instruction":"a","context":"","response":"c","category":"d"}""", "a")]
    [InlineData("""{"instruction":"a","context":"b","response":"c"}""", "a\n\nb")]
    public void Read_Pairs(string line, string user) => CheckPair(Assert.Single(Read(line)), user, "c");

    [Theory]
    [InlineData("\n", "")]
    [InlineData("\r\n", "\r\n")]
    [InlineData("\n\n  \t\n", "\n\n")]
    public void Read_LineEndsBlanksAndMark(string end, string last)
    {
        foreach (string mark in new[] { "", "\uFEFF" })
        {
            Conversation[] rows = Read(mark + string.Join(end, Enumerable.Range(0, 5).Select(i => $$"""{"prompt":"p{{i}}","completion":"é"}""")) + last);
            Assert.Equal(5, rows.Length);
            for (int i = 0; i < 5; i++)
                CheckPair(rows[i], $"p{i}", "é");
        }
    }

    // Rows longer and shorter than the read buffer, so that lines begin and end at every kind of place in it.
    [Fact]
    public void Read_LongAndManyRows()
    {
        int[] lengths = [.. Enumerable.Range(0, 400).Select(i => i % 50 == 7 ? 200_000 + i : 1000 + 37 * i % 3000)];
        Conversation[] rows = Read(string.Join('\n', lengths.Select((n, i) => $$"""{"prompt":"{{i}}","completion":"{{new string('x', n)}}"}""")));
        Assert.Equal(lengths, rows.Select(row => row.Messages[1].Content.Length));
        Assert.Equal(Enumerable.Range(0, 400).Select(i => $"{i}"), rows.Select(row => row.Messages[0].Content));
    }

    [Fact]
    public void Read_IsAStream()
    {
        string path = folder.Write("rows.jsonl", "{\"prompt\":\"a\",\"completion\":\"b\"}\nbroken");
        CheckPair(ChatRows.Read(path).First(), "a", "b"); // the second line is not looked at yet
        UserError.Expect(() => ChatRows.Read(path).Count(), path, "line 2");
    }

    [Theory]
    [InlineData("nonsense", "no valid JSON at byte")]
    [InlineData("{\"prompt\":\"a\",\"completion\":\"b\"", "no valid JSON")]
    [InlineData("{\"prompt\":\"a\"} {\"prompt\":\"b\"}", "no valid JSON")]
    [InlineData("{", "no valid JSON")]
    [InlineData("7", "a number; expected a JSON object")]
    [InlineData("null", "null; expected a JSON object")]
    [InlineData("{}", "no known form; expected")]
    [InlineData("{\"text\":\"a\"}", "no known form")]
    [InlineData("{\"output\":\"a\"}", "no known form")]
    [InlineData("{\"prompt\":\"a\"}", "\"completion\" is missing")]
    [InlineData("{\"completion\":\"a\"}", "\"prompt\" is missing")]
    [InlineData("{\"question\":\"a\"}", "\"answer\" is missing")]
    [InlineData("{\"answer\":\"a\"}", "\"question\" is missing")]
    [InlineData("{\"instruction\":\"a\"}", "\"output\" is missing")]
    [InlineData("{\"prompt\":7,\"completion\":\"b\"}", "\"prompt\" is a number; expected a text")]
    [InlineData("{\"prompt\":\"a\",\"completion\":null}", "\"completion\" is null")]
    [InlineData("{\"instruction\":\"a\",\"context\":3,\"response\":\"b\"}", "\"context\" is a number")]
    [InlineData("{\"instruction\":\"a\",\"input\":[],\"output\":\"b\"}", "\"input\" is an array")]
    [InlineData("{\"messages\":\"a\"}", "\"messages\" is a text; expected an array")]
    [InlineData("{\"messages\":null}", "\"messages\" is null")]
    [InlineData("{\"messages\":[]}", "\"messages\" is empty")]
    [InlineData("{\"messages\":[7]}", "message 1 is a number")]
    [InlineData(
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"tool\",\"content\":\"a\"}]}",
        "\"role\" of message 2 is \"tool\"; expected system, user, assistant")]
    [InlineData("{\"messages\":[{\"role\":\"a\\nb\",\"content\":\"a\"}]}", "\"role\" of message 1 is")]
    [InlineData("{\"messages\":[{\"content\":\"a\"}]}", "\"role\" of message 1 is missing")]
    [InlineData("{\"messages\":[{\"role\":\"user\"}]}", "\"content\" of message 1 is missing")]
    [InlineData("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
        "\"text\" of part 1 of \"content\" of message 1 is missing; expected a text")]
    [InlineData("{\"messages\":[{\"role\":true,\"content\":\"a\"}]}", "\"role\" of message 1 is true or false")]
    [InlineData("{\"prompt\":\"\\ud83d\",\"completion\":\"b\"}", "surrogate")]
    public void Read_DamagedLine_NamesFileLineAndFault(string line, string part)
    {
        const string good = "{\"prompt\":\"a\",\"completion\":\"b\"}";
        UserError.Expect(() => Read($"{good}\n\n{good}\n{line}\n{good}\n"), folder["rows.jsonl"] + ", line 4:", part);
        UserError.Expect(() => Read(line), folder["rows.jsonl"] + ", line 1:", part);
    }

    [Fact]
    public void Read_InvalidUtf8_IsRefused()
    {
        byte[] bytes =
            [.. Encoding.UTF8.GetBytes("{\"prompt\":\"a"), 0xFF, .. Encoding.UTF8.GetBytes("\",\"completion\":\"b\"}")];
        string path = folder.Write("rows.jsonl", bytes);
        UserError.Expect(() => ChatRows.Read(path).Count(), "line 1", "no valid UTF-8");

        // Half of a surrogate pair.
        path = folder.Write(
            "rows.jsonl",
            [0xFF, 0xFE, .. Encoding.Unicode.GetBytes("{\"prompt\":\"a"), 0, 0xD8,
            .. Encoding.Unicode.GetBytes("\",\"completion\":\"b\"}")]);
        UserError.Expect(() => ChatRows.Read(path).Count(), path, "not valid in the encoding");
    }

    [Theory]
    [InlineData("")]
    [InlineData(".gz")]
    [InlineData(".zst")]
    public void Read_AnyCompressionAndEncoding(string ending)
    {
        const string Text = "{\"prompt\":\"a\",\"completion\":\"\u4e2d\"}\n\n{\"prompt\":\"b\",\"completion\":\"c\"}\n";
        foreach (string name in new[] { "utf-8", "utf-16", "utf-16BE", "utf-32" })
        {
            var encoding = Encoding.GetEncoding(name);
            foreach (byte[] mark in new[] { encoding.GetPreamble(), [] })
            {
                if (mark.Length == 0 && name == "utf-32")
                    continue;
                string path = folder.Write(
                    "rows.jsonl" + ending, SourceReading.Compress([.. mark, .. encoding.GetBytes(Text)], ending));
                Conversation[] rows = [.. ChatRows.Read(path)];
                Assert.Equal(2, rows.Length);
                CheckPair(rows[0], "a", "\u4e2d");
                CheckPair(rows[1], "b", "c");
            }
        }
    }

    [Fact]
    public void Read_Damaged_IsRefused()
    {
        byte[] packed =
            SourceReading.Compress(Encoding.UTF8.GetBytes("{\"prompt\":\"a\",\"completion\":\"b\"}\n"), ".gz");
        string path = folder.Write("rows.jsonl.gz", packed[..^5]);
        UserError.Expect(() => ChatRows.Read(path).Count(), path, "damaged or cut off");
        path = folder.Write("rows.jsonl", packed);
        UserError.Expect(() => ChatRows.Read(path).Count(), path, "this is compressed by gzip", "Unpack it");
        path = folder.Write("rows.zip", "PK");
        UserError.Expect(() => ChatRows.Read(path).Count(), path, "this is a ZIP archive", "Unpack it");
    }

    [Theory]
    [InlineData("""{"messages": []}""", null, true)]
    [InlineData("""{"id": 1, "question": "a", "answer": "b"}""", null, true)]
    [InlineData("""{"instruction": "a"}""", null, true)]
    [InlineData("""{"text": "a"}""", null, false)]
    [InlineData("""{"text": 5, "messages": []}""", null, true)]
    [InlineData("""{"text": "a", "messages": []}""", "text", false)]
    [InlineData("""{"prompt": "a", "completion": "b"}""", "prompt", false)]
    [InlineData("""{"prompt": "a", "completion": "b"}""", "body", true)]
    [InlineData("\n  \nbad\n[1]\n{\"text\": \"a\"}\n{\"messages\": []}", null, false)]
    public void Rows_AreConversationsOrDocuments(string text, string? field, bool expected)
    {
        foreach (string ending in new[] { "", ".gz", ".zst" })
        {
            Assert.Equal(
                expected, ChatData.IsChat(
                    folder.Write("rows.jsonl" + ending, SourceReading.Compress(Encoding.UTF8.GetBytes(text), ending)),
                    field));
        }
    }

    [Theory]
    [InlineData("""{"body": "a", "id": 1}""", null, "line 1", "\"text\"", "body, id")]
    [InlineData("""{"text": "a"}""", "body", "line 1", "\"body\"", "its fields are: text")]
    [InlineData("\n{}", null, "line 2", "\"text\"", "its fields are: none")]
    [InlineData("bad\n", null, "no line is a JSON object", "\"text\"", "conversations")]
    [InlineData("", null, "no line is a JSON object", "\"text\"", "conversations")]
    public void Rows_OfNeither_AreRefused(string text, string? field, params string[] parts)
    {
        string path = folder.Write("rows.jsonl", text);
        UserError.Expect(() => ChatData.IsChat(path, field), [path, .. parts]);
    }

    [Fact]
    public void OtherSources_AreNoConversations()
    {
        Assert.True(ChatData.IsChat("builtin:questions", null));
        Assert.False(ChatData.IsChat("builtin:stories", null));
        Assert.False(ChatData.IsChat(folder.Write("a.txt", "{\"messages\": []}"), null));
        Assert.False(ChatData.IsChat(folder["none.jsonl"], null));
        Assert.False(ChatData.IsChat(folder.Path, null));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\uFEFF")]
    [InlineData("\n \r\n\t\n")]
    public void Read_NoRows_IsRefused(string text) =>
        UserError.Expect(() => Read(text), folder["rows.jsonl"], "no rows");

    [Fact]
    public void Read_NoSuchFile() =>
        UserError.Expect(() => ChatRows.Read(folder["none.jsonl"]).Count(), folder["none.jsonl"], "no such file");

    [Fact]
    public void Read_LineWithoutEnd_IsRefused()
    {
        using (var stream = new FileStream(folder["big.jsonl"], FileMode.Create))
            stream.SetLength(JsonLines.MaxLineBytes + 100_000L); // a hole of zeros
        UserError.Expect(() => ChatRows.Read(folder["big.jsonl"]).Count(), folder["big.jsonl"], "line 1", "64 MiB");
    }
}
