using TinyLlm.Data;
using TinyLlm.Tests.Data.Sources;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data;

public sealed class ChoiceRowsTests : IDisposable
{
    private const string Good = """{"question":"q","choices":["a","b"],"answer":1}""";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Rows_HaveTheAnswerByNumberOrByText()
    {
        string text = Good + "\n\n" + """{"id":1,"context":"Caf\u00e9","answer":"é","choices":["x","é","z"]}""" + "\n";
        foreach (string ending in new[] { "", ".gz", ".zst" })
        {
            string path = folder.Write(
                "rows.jsonl" + ending, SourceReading.Compress(System.Text.Encoding.UTF8.GetBytes(text), ending));
            Assert.True(ChoiceRows.AreIn(path, null));
            var rows = ChoiceRows.Read(path);
            Assert.Equal(2, rows.Count);
            Assert.Equal(("q", 1), (rows[0].Context, rows[0].Answer));
            Assert.Equal(["a", "b"], rows[0].Choices);
            Assert.Equal(("Café", 1, 3), (rows[1].Context, rows[1].Answer, rows[1].Choices.Count));
        }
    }

    [Fact]
    public void TheFirstRow_TellsTheKind()
    {
        Assert.False(ChoiceRows.AreIn(folder.Write("chat.jsonl", """{"question":"q","answer":"a"}""" + "\n" + Good), null));
        Assert.False(ChoiceRows.AreIn(folder.Write("text.jsonl", """{"text":"t"}"""), null));
        Assert.False(ChoiceRows.AreIn(folder.Write("rows.txt", Good), null));
        Assert.False(ChoiceRows.AreIn(folder["absent.jsonl"], null));
        Assert.True(ChoiceRows.AreIn(folder.Write("first.jsonl", "no json\n" + Good), null));

        // A field that is named makes it a document.
        Assert.False(ChoiceRows.AreIn(folder.Write("named.jsonl", Good), "question"));
        Assert.True(ChoiceRows.AreIn(folder["named.jsonl"], "other"));
    }

    [Theory]
    [InlineData("""{"question":"q","answer":"a"}""", "no array \"choices\"")]
    [InlineData("""{"question":"q","choices":"a","answer":0}""", "no array \"choices\"")]
    [InlineData("""{"choices":["a","b"],"answer":0}""", "no text \"question\" or \"context\"")]
    [InlineData("""{"question":3,"choices":["a","b"],"answer":0}""", "no text \"question\"")]
    [InlineData("""{"question":"q","choices":[],"answer":0}""", "\"choices\" has 0 texts; expected two or more")]
    [InlineData("""{"question":"q","choices":["a"],"answer":0}""", "\"choices\" has 1 texts")]
    [InlineData("""{"question":"q","choices":["a"," "],"answer":0}""", "choice 1 (from 0) is empty")]
    [InlineData("""{"question":"q","choices":["a",null],"answer":0}""", "choice 1 (from 0) is empty or no text")]
    [InlineData("""{"question":"q","choices":["a","b"],"answer":2}""", "\"answer\" is 2; expected 0 to 1")]
    [InlineData("""{"question":"q","choices":["a","b"],"answer":-1}""", "\"answer\" is -1")]
    [InlineData("""{"question":"q","choices":["a","b"],"answer":0.5}""", "\"answer\" is 0.5")]
    [InlineData("""{"question":"q","choices":["a","b"],"answer":"c"}""", "\"answer\" is \"c\", which is none of the choices")]
    [InlineData("""{"question":"q","choices":["a","b"],"answer":true}""", "neither a number nor a text")]
    [InlineData("""{"question":"q","choices":["a","b"]}""", "\"answer\" is missing")]
    [InlineData("[1]", "a JSON array; expected one JSON object")]
    [InlineData("""{"question":"q",""", "no valid JSON")]
    [InlineData("""{"question":"\ud800","choices":["a","b"],"answer":0}""", "half of a surrogate pair")]
    public void ABadRow_IsNamed(string row, string part) =>
        UserError.Expect(
            () => ChoiceRows.Read(folder.Write("rows.jsonl", Good + "\n\n" + row + "\n")), "rows.jsonl, line 3", part);

    [Fact]
    public void AFileWithoutRows_AndChoicesAmongConversations_AreRefused()
    {
        UserError.Expect(() => ChoiceRows.Read(folder.Write("empty.jsonl", "\n")), "has no rows");
        UserError.Expect(() => ChoiceRows.RefuseIn(folder.Write("mixed.jsonl", """{"question":"q","answer":"a"}""" + "\n" + Good)), "mixed.jsonl, line 2", "\"choices\"");

        // Beside messages it is one of the fields that are ignored.
        ChoiceRows.RefuseIn(folder.Write("fine.jsonl", """{"messages":[],"choices":[]}"""));
    }

    [Fact]
    public void Examples_ScoreTheChoiceAlone()
    {
        var tokenizer = new ByteTokenizer();
        ChoiceRow[] rows = [new("ab \n", ["c", " dé "], 0), new("", ["e", "f"], 0)];
        Check(rows, chat: false, [("ab", " c"), ("ab", " dé"), ("", "e"), ("", "f")],
            before => [tokenizer.DocumentStart, .. tokenizer.Encode(before)], tokenizer.Encode);
        Check(rows, chat: true, [("ab \n", "c"), ("ab \n", "dé"), ("", "e"), ("", "f")],
            before => ChatTemplate.EncodePrompt(tokenizer, [new ChatMessage("user", before)]), after =>
            [.. tokenizer.Encode(after), tokenizer.TurnEnd]);

        void Check(ChoiceRow[] rows, bool chat, (string Before, string After)[] expected,
            Func<string, int[]> encodeBefore, Func<string, int[]> encodeAfter)
        {
            var examples = new ChoiceExamples(rows, tokenizer, 64, chat);
            Assert.Equal([0, 2], examples.First);
            Assert.Equal(expected.Length, examples.Count);
            int[] tokens = new int[examples.Length], targets = new int[examples.Length];
            for (int i = 0; i < expected.Length; i++)
            {
                examples.Read(0, i, tokens, targets);
                int[] before = encodeBefore(expected[i].Before), after = encodeAfter(expected[i].After);
                Assert.Equal([.. before, .. after[..^1]], tokens[..(before.Length + after.Length - 1)]);
                Assert.Equal(
                    Enumerable.Repeat(-1, before.Length - 1).Concat(after),
                    targets[..(before.Length + after.Length - 1)]);
                Assert.All(targets[(before.Length + after.Length - 1)..], target => Assert.Equal(-1, target));
            }
        }
    }

    [Fact]
    public void ARowWithAChoiceLongerThanTheContext_IsLeftOut()
    {
        // The start, "abc", " " and 12 letters: 16 tokens and one that is only a target.
        ChoiceRow[] rows = [new("abc", ["x", new string('y', 12)], 0), new("abc", ["x", new string('y', 13)], 0),
            new("abc", ["x", "y"], 0)];
        var examples = new ChoiceExamples(rows, new ByteTokenizer(), 16, chat: false);
        Assert.Equal([0, -1, 2], examples.First);
        Assert.Equal((4, 16), (examples.Count, examples.Length));
        UserError.Expect(
            () => new ChoiceExamples(rows, new ByteTokenizer(), 4, chat: false), "None of the 3",
            "context of 4 tokens");
    }
}
