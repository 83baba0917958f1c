using TinyLlm.Data;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data.Rows;

/// <summary>
/// Fields of a row that change what is learned: each is honoured or refused by its name, and what is neither is named.
/// </summary>
public sealed class RowMarksTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly RowReport report = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"no","weight":0},{"role":"user","content":"b"},{"role":"assistant","content":"yes","weight":1}]}""", "yes")]
    [InlineData("""{"messages":[{"role":"user","content":"a","weight":0},{"role":"assistant","content":"yes","weight":1.0}]}""", "yes")]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"no","train":false},{"role":"assistant","content":"yes","train":true}]}""", "yes")]
    [InlineData("""{"messages":[{"role":"user","content":"a","loss":false},{"role":"assistant","content":"no","loss":false},{"role":"assistant","content":"yes","loss":1}]}""", "yes")]
    [InlineData("""{"messages":[{"role":"user","content":"a","trainable":0},{"role":"assistant","content":"no","trainable":0},{"role":"assistant","content":"yes"}]}""", "yes")]
    [InlineData("""{"messages":[{"role":"user","content":"a","masked":true},{"role":"assistant","content":"no","masked":true},{"role":"assistant","content":"yes","masked":false}]}""", "yes")]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"yes","weight":null,"tool_calls":[],"function_call":null,"reasoning_content":"","thinking":false,"images":[{"path":null}]}],"tools":"[]"}""", "yes")]
    [InlineData("""{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"no"},{"role":"user","content":"b"}],"completion":[{"role":"assistant","content":"yes"}]}""", "yes")]
    [InlineData("""{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"b"}],"completion":[{"role":"assistant","content":"yes"},{"role":"user","content":"c"},{"role":"assistant","content":"yes2"}]}""", "yes", "yes2")]
    [InlineData("""{"prompt":[{"role":"user","content":"b"}],"completion":"yes"}""", "yes")]
    [InlineData("""{"prompt":"b","completion":[{"role":"assistant","content":"yes"}],"label":true}""", "yes")]
    [InlineData("""{"question":"b","answer":"yes","weight":1,"label":null}""", "yes")]
    public void WhatIsLearned_IsWhatIsMarked(string row, params string[] learned)
    {
        var conversation = Assert.Single(Read(row));
        Assert.Equal(
            learned, conversation.Messages.Where(message => message.Role == ChatTemplate.Assistant && message.IsLearned)
            .Select(message => message.Content));
        Assert.Null(report.Describe());

        // The mask says so, and the ids are those without marks.
        var tokenizer = new ByteTokenizer();
        List<int> ids = [], plain = [];
        List<bool> trained = [], plainTrained = [];
        ChatTemplate.Encode(tokenizer, conversation.Messages, ids, trained);
        ChatTemplate.Encode(
            tokenizer, [.. conversation.Messages.Select(message => new ChatMessage(message.Role, message.Content))],
            plain, plainTrained);
        Assert.Equal(plain, ids);
        Assert.Equal(
            learned.SelectMany(text => (int[])[.. tokenizer.Encode(text), tokenizer.TurnEnd]),
            ids.Where((_, i) => trained[i]));
    }

    [Theory]
    [InlineData("""{"question":"b","answer":"no","weight":0}""")]
    [InlineData("""{"prompt":"b","completion":"no","label":false}""")]
    [InlineData("""{"prompt":[{"role":"user","content":"b"}],"completion":[{"role":"assistant","content":"no"}],"label":false}""")]
    [InlineData("""{"messages":[{"role":"user","content":"b"},{"role":"assistant","content":"no"}],"train":false}""")]
    public void ARow_ThatIsNotLearned_IsLeftOutAndCounted(string row)
    {
        Assert.Equal("yes", Assert.Single(Read(row + "\n{\"question\":\"b\",\"answer\":\"yes\"}")).Messages[1].Content);
        Assert.Equal(1, report.NotLearned);
        Assert.Null(report.Describe());
    }

    [Theory]
    [InlineData("""{"instruction":"a","output":"c","system":"s"}""", "s")]
    [InlineData("""{"instruction":"a","input":"b","output":"c","system":"s"}""", "s")]
    [InlineData("""{"prompt":"a","completion":"c","system":"s"}""", "s")]
    [InlineData("""{"question":"a","answer":"c","system_prompt":"s"}""", "s")]
    [InlineData("""{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}],"system":"s"}""", "s")]
    [InlineData("""{"messages":[{"role":"system","content":"s"},{"role":"assistant","content":"c"}],"system":"s"}""", "s")]
    [InlineData("""{"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"c"}],"system":"s"}""", "s")]
    [InlineData("""{"question":"a","answer":"c","system":""}""", null)]
    [InlineData("""{"question":"a","answer":"c","system":null}""", null)]
    public void System_IsTheFirstTurn(string row, string? system)
    {
        var messages = Assert.Single(Read(row)).Messages;
        Assert.Equal(system is null ? 0 : 1, messages.Count(message => message.Role == "system"));
        Assert.Equal(system ?? "a", messages[0].Content);
        Assert.Null(report.Describe());
    }

    [Theory]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"text","text":"a "},{"type":"text","text":"b"}]},{"role":"assistant","content":[]}]}""")]
    [InlineData("""{"prompt":[{"role":"user","content":[{"type":"text","text":"a b"}]}],"completion":""}""")]
    public void Parts_OfText_AreOneText(string row) =>
        Assert.Equal(
            [new ChatMessage("user", "a b"), new ChatMessage("assistant", "")], Assert.Single(Read(row)).Messages);

    [Theory]
    [InlineData("tool_calls", """[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]""")]
    [InlineData("function_call", """{"name":"f"}""")]
    [InlineData("reasoning_content", "\"because\"")]
    [InlineData("reasoning", "\"because\"")]
    [InlineData("thinking", "\"because\"")]
    [InlineData("images", "[\"a.png\"]")]
    [InlineData("refusal", "\"no\"")]
    [InlineData("mask", "false")]
    [InlineData("train_detail", """[{"begin_offset":0}]""")]
    public void AMessage_WithWhatIsNotRead_IsRefused_AlsoWhereItIsOnlySeen(string field, string value)
    {
        string message = $$"""{"role":"assistant","content":"x","{{field}}":{{value}}}""", user = """{"role":"user","content":"q"}""";
        Refuse($$"""{"messages":[{{user}},{{message}}]}""", $"\"{field}\" of message 2 changes what is seen or learned");
        Refuse($$"""{"prompt":[{{user}},{{message}},{{user}}],"completion":"c"}""", $"\"{field}\" of message 2 in \"prompt\"");
        Refuse($$"""{"prompt":"p","completion":[{{message}}]}""", $"\"{field}\" of message 1 in \"completion\"");
        RefusePair($$"""{"prompt":[{{message}},{{user}}],"chosen":"a","rejected":"b"}""", $"\"{field}\" of message 1 in \"prompt\"");
        RefusePair($$"""{"prompt":"p","chosen":[{{message}}],"rejected":"b"}""", $"\"{field}\" of message 1 in \"chosen\"");
    }

    [Theory]
    [InlineData("\"tools\":[{\"name\":\"f\"}]", "\"tools\" changes what is seen")]
    [InlineData("\"functions\":[{\"name\":\"f\"}]", "\"functions\" changes")]
    [InlineData("\"images\":[\"a\"]", "\"images\" changes")]
    [InlineData("\"history\":[[\"a\",\"b\"]]", "\"history\" changes")]
    [InlineData("\"documents\":[{}, {\"text\":\"d\"}]", "\"documents\" changes")]
    [InlineData("\"chat_template_kwargs\":{\"thinking\":true}", "\"chat_template_kwargs\" changes")]
    [InlineData("\"weight\":0.5", "\"weight\" is 0.5; expected 0 (not learned) or 1 (learned)")]
    [InlineData("\"weight\":\"0\"", "\"weight\" is a text")]
    [InlineData("\"system\":[\"s\"]", "\"system\" is an array; expected a text")]
    [InlineData("\"system\":\"s\",\"system_prompt\":\"t\"", "both \"system\" and \"system_prompt\"")]
    public void ARow_WithWhatIsNotRead_IsRefused(string field, string part)
    {
        Refuse($$"""{"question":"a","answer":"b",{{field}}}""", part);
        Refuse($$"""{"messages":[{"role":"user","content":"a"}],{{field}}}""", part);
        RefusePair($$"""{"prompt":"a","chosen":"b","rejected":"c",{{field}}}""", part);
    }

    [Theory]
    [InlineData("""{"prompt":"a","completion":"b","label":3}""", "\"label\" is a number; expected true")]
    [InlineData("""{"prompt":"a","completion":"b","label":"good"}""", "\"label\" is a text; expected true")]
    [InlineData("""{"prompt":"a","chosen":"b","rejected":"c"}""", "--method dpo")]
    [InlineData("""{"chosen":[{"role":"user","content":"a"}],"rejected":[]}""", "--method dpo")]
    [InlineData("""{"messages":[{"role":"user","content":"a","weight":0.5}]}""", "\"weight\" of message 1 is 0.5")]
    [InlineData("""{"messages":[{"role":"user","content":"a","train":true}]}""", "\"train\" of message 1 is true, and its role is user")]
    [InlineData("""{"messages":[{"role":"assistant","content":"a","train":"no"}]}""", "\"train\" of message 1 is a text; expected true or false")]
    [InlineData("""{"messages":[{"role":"assistant","content":[{"type":"image","image":"x"}]}]}""", "part 1 of \"content\" of message 1 is of the type \"image\"")]
    [InlineData("""{"messages":[{"role":"assistant","content":["a"]}]}""", "part 1 of \"content\" of message 1 is a text")]
    [InlineData("""{"messages":[{"role":"assistant","content":null,"tool_calls":[]}]}""", "\"content\" of message 1 is null")]
    [InlineData("""{"messages":[{"role":"system","content":"t"}],"system":"s"}""", "begin with another one")]
    [InlineData("""{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"completion":[{"role":"assistant","content":"c"}]}""", "the prompt ends with an assistant's message")]
    [InlineData("""{"prompt":[],"completion":"c"}""", "\"prompt\" is empty")]
    [InlineData("""{"prompt":"a","completion":[]}""", "\"completion\" is empty")]
    [InlineData("""{"question":"a","context":"c","answer":"b"}""", "\"context\" is not read beside \"question\"")]
    [InlineData("""{"instruction":"a","input":"b","context":"c","output":"d"}""", "both \"input\" and \"context\"")]
    [InlineData("""{"instruction":"a","response":"c","output":"d"}""", "both \"output\" and \"response\"")]
    [InlineData("""{"conversations":[{"from":"human","value":"a"}]}""", "its fields are: conversations")]
    public void WhatMeansSomethingElse_IsRefused(string row, string part) => Refuse(row, part);

    [Fact]
    public void OtherFields_AreNamedOnce_WithTheirRows()
    {
        string[] rows =
        [
            """{"question":"a","answer":"b","id":1,"family":"f"}""",
            """{"question":"a","answer":"b","id":null,"family":"g","score":[]}""",
            """{"messages":[{"role":"user","content":"a","name":"x"},{"role":"user","content":"a","name":"y"}],"family":"h","prompt":"a"}""",
            """{"instruction":"a","input":"i","response":"b","category":"c"}""",
        ];
        var read = Read(string.Join('\n', rows));
        Assert.Equal("a\n\ni", read[3].Messages[0].Content);
        Assert.Equal(
            [("id", 1), ("family", 3), ("score", 1), ("messages[].name", 1), ("prompt", 1), ("category", 1)],
            report.NotRead.Select(field => (field.Key, (int)field.Value)));
        Assert.Equal("id (1 row), family (3 rows) and 4 more", report.Describe(2));
    }

    [Fact]
    public void Comparisons_HaveTheirMarksToo()
    {
        string path = folder.Write("pairs.jsonl", """
            {"prompt":"a","chosen":"b","rejected":"c","system":"s","score_chosen":1.5}
            {"prompt":"a","chosen":"b","rejected":"c","weight":0}
            {"prompt":"a","chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]}
            {"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"m"},{"role":"user","content":"n"}],"chosen":"b","rejected":[{"role":"assistant","content":"c"}]}
            {"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}],"label":false,"tools":[1]}
            """);
        var (pairs, unpaired) = PreferenceRows.Read(path, report);
        Assert.Equal((3, 1, 1), (pairs.Count, unpaired, report.NotLearned));
        Assert.Equal("score_chosen (1 row)", report.Describe());
        Assert.All(pairs, pair => Assert.Equal(("b", "c"), (pair.Chosen, pair.Rejected)));
        Assert.Equal([new ChatMessage("system", "s"), new ChatMessage("user", "a")], pairs[0].Prompt);
        Assert.Equal([new ChatMessage("user", "a")], pairs[1].Prompt);
        Assert.Equal([true, false, true], pairs[2].Prompt.Select(message => message.IsLearned));
        Assert.Equal([1, 3, 4], pairs.Select(pair => pair.Place!.Number));
    }

    [Theory]
    [InlineData("""{"prompt":[{"role":"user","content":null}],"chosen":"x","rejected":"y"}""", "\"content\" of message 1 in \"prompt\" is null; expected a text")]
    [InlineData("""{"prompt":[{"role":"user"}],"chosen":"x","rejected":"y"}""", "\"content\" of message 1 in \"prompt\" is missing")]
    [InlineData("""{"prompt":"w","chosen":[{"role":"assistant","content":null,"tool_calls":[]}],"rejected":[{"role":"assistant","content":"s"}]}""", "\"content\" of message 1 in \"chosen\" is null")]
    [InlineData("""{"prompt":"w","chosen":null,"rejected":"s"}""", "\"chosen\" is missing or null")]
    [InlineData("""{"prompt":null,"chosen":"x","rejected":"s"}""", "\"prompt\" is null")]
    [InlineData("""{"prompt":"w","chosen":7,"rejected":"s"}""", "\"chosen\" is a number")]
    [InlineData("""{"prompt":"w","chosen":[{"role":"assistant","content":"x","weight":0}],"rejected":"s"}""", "marked as not to be learned")]
    [InlineData("""{"prompt":"w","chosen":[{"role":"user","content":"v"},{"role":"assistant","content":"x"}],"rejected":[{"role":"user","content":"v"},{"role":"assistant","content":"y"}]}""", "the prompt is not what chosen and rejected begin with")]
    [InlineData("""{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"chosen":"x","rejected":"y"}""", "the prompt ends with an assistant's message")]
    [InlineData("""{"messages":[]}""", "no known form")]
    public void ADamagedComparison_IsRefusedWithItsLine(string row, string part) => RefusePair(row, part);

    private List<Conversation> Read(string text) => [.. ChatRows.Read(folder.Write("rows.jsonl", text), report)];

    private void Refuse(string row, string part) =>
        UserError.Expect(() => Read("{\"question\":\"a\",\"answer\":\"b\"}\n" + row), "rows.jsonl, line 2: ", part);

    private void RefusePair(string row, string part) =>
        UserError.Expect(
            () => PreferenceRows.Read(
                folder.Write("pairs.jsonl", "{\"prompt\":\"a\",\"chosen\":\"yes\",\"rejected\":\"no\"}\n" + row)),
            "pairs.jsonl, line 2: ", part);
}
