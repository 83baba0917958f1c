using System.Text;
using Parquet.Serialization;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Tests.Data.Sources;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Data.Rows;

/// <summary>Rows in files of any format, and which of them are taken for rows.</summary>
public sealed class RowFileTests : IDisposable
{
    private const string Pretty = "\n[\n  {\n    \"question\": \"a\",\n    \"answer\": \"b\"\n  },\n  {\n    "
        + "\"question\": \"c\",\n    \"answer\": \"d\"\n  }\n]\n";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("rows.json")]
    [InlineData("rows.jsonl")]
    [InlineData("rows.json.gz")]
    [InlineData("rows.jsonl.zst")]
    [InlineData("rows.data")]
    public void Arrays_AreRows_AndErrorsNameTheRow(string name)
    {
        foreach (string mark in (string[])["", "\uFEFF"])
        {
            foreach (string text in (string[])[Pretty, Pretty.ReplaceLineEndings(""),
                "{\"question\":\"a\",\"answer\":\"b\"}\n{\"question\":\"c\",\"answer\":\"d\"}"])
            {
                var rows = ChatRows.Read(Write(name, mark + text)).ToList();
                Assert.Equal(
                    ["a", "b", "c", "d"], rows.SelectMany(row => row.Messages).Select(message => message.Content));
                Assert.Equal($"{folder[name]}, {(text[0] == '{' ? "line" : "row")} 2", rows[1].Place!.ToString());
            }
        }

        UserError.Expect(
            () => ChatRows.Read(Write(name, "[{\"question\":\"a\",\"answer\":\"b\"},\n{\"question\":\"a\"}]")).Count(),
            name + ", row 2: \"answer\" is missing");
        UserError.Expect(
            () => ChatRows.Read(Write(name, "[{\"question\":\"a\",\"answer\":\"b\"},\n\n{\"question\":\n \"a\" x}]"))
            .Count(), name + ", row 2: no valid JSON at line 4, byte 6");
        UserError.Expect(
            () => ChatRows.Read(Write(name, "[{\"question\":\"a\",\"answer\":\"b\"}, 7]")).Count(),
            name + ", row 2: the row is a number");
        UserError.Expect(() => ChatRows.Read(Write(name, "[]")).Count(), name, "has no rows");
        UserError.Expect(() => ChatRows.Read(Write(name, "[\n")).Count(), name, "the file ends within the array");
        Assert.Equal(
            ["b"], PreferenceRows.Read(
                Write(name, "[{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\"}]")).Pairs.Select(
                    pair => pair.Chosen));
        Assert.Equal(
            1, ChoiceRows.Read(Write(name, "[{\"question\":\"a\",\"choices\":[\"b\",\"c\"],\"answer\":1}]"))[0].Answer);
    }

    [Theory]
    [InlineData(Pretty, null, true)]
    [InlineData("{\"messages\": []}\n", null, true)]
    [InlineData("[{\"text\": \"a\", \"messages\": []}]", null, true)]
    [InlineData("[{\"text\": \"a\", \"messages\": []}]", "text", false)]
    [InlineData("[{\"text\": \"a\"}]", null, false)]
    [InlineData("[{\"prompt\": \"a\"}]", null, false)]
    [InlineData("{\n  \"question\": \"a\",\n  \"answer\": 1\n}\n", null, false)]
    [InlineData("[1, 2]", null, false)]
    [InlineData("[broken", null, false)]
    [InlineData("no JSON at all", null, false)]
    [InlineData("", null, false)]
    public void Json_IsText_UnlessItsFirstRowIsOne(string text, string? field, bool expected)
    {
        foreach (string name in (string[])["a.json", "a.json.gz"])
        {
            string path = Write(name, text);
            bool damaged = text.StartsWith("[broken", StringComparison.Ordinal);
            Assert.Equal(expected, ChatData.IsChat(path, field));
            Assert.False(ChoiceRows.AreIn(path, field));
            if (!expected && text.Length > 0)
                Assert.Equal([text], SourceReading.Texts(path));
        }

        string choices = Write("c.json", "[{\"question\":\"a\",\"choices\":[\"b\",\"c\"],\"answer\":1}]");
        Assert.True(ChoiceRows.AreIn(choices, null));
        Assert.False(ChoiceRows.AreIn(choices, "question"));
    }

    [Fact]
    public async Task Parquet_IsText_UnlessItHasTheColumnsOfAForm()
    {
        await ParquetSerializer.SerializeAsync(
            [new { question = "a", answer = "b" }], folder["qa.parquet"],
            cancellationToken: TestContext.Current.CancellationToken);
        await ParquetSerializer.SerializeAsync(
            [new { text = "a", prompt = "b" }], folder["text.parquet"],
            cancellationToken: TestContext.Current.CancellationToken);
        await ParquetSerializer.SerializeAsync(
            [new { question = "a", choices = new List<string> { "b", "c" }, answer = 1L }], folder["choices.parquet"],
            cancellationToken: TestContext.Current.CancellationToken);
        await ParquetSerializer.SerializeAsync(
            [new { prompt = "a", chosen = "b", rejected = "c" }], folder["pairs.parquet"],
            cancellationToken: TestContext.Current.CancellationToken);

        Assert.True(ChatData.IsChat(folder["qa.parquet"], null));
        Assert.False(ChatData.IsChat(folder["qa.parquet"], "answer"));
        Assert.Equal(["b"], SourceReading.Texts(folder["qa.parquet"], new SourceOptions("answer")));
        Assert.Equal(
            [new ChatMessage("user", "a"), new ChatMessage("assistant", "b")],
            Assert.Single(ChatData.Read(folder["qa.parquet"], Split.Train)).Messages);

        Assert.False(ChatData.IsChat(folder["text.parquet"], null));
        Assert.False(ChoiceRows.AreIn(folder["text.parquet"], null));
        Assert.Equal(["a"], SourceReading.Texts(folder["text.parquet"]));

        Assert.True(ChoiceRows.AreIn(folder["choices.parquet"], null));
        Assert.Equal(
            ("a", 1), (ChoiceRows.Read(folder["choices.parquet"])[0].Context,
                ChoiceRows.Read(folder["choices.parquet"])[0].Answer));
        Assert.Equal(["b"], PreferenceRows.Read(folder["pairs.parquet"]).Pairs.Select(pair => pair.Chosen));

        // A Parquet file is one by its first bytes, and a name alone does not make one.
        File.Copy(folder["qa.parquet"], folder["qa.data"]);
        Assert.Single(ChatRows.Read(folder["qa.data"]));
        UserError.Expect(
            () => ChatRows.Read(folder.Write("no.parquet", Pretty)).Count(), "no.parquet",
            "the Parquet data is damaged");
        UserError.Expect(() => ChatRows.Read(folder["pairs.parquet"]).Count(), "pairs.parquet, row 1", "--method dpo");
    }

    /// <summary>A tokenizer that cannot write a row is told before training, with the row.</summary>
    [Fact]
    public void WhatCannotBeEncoded_IsNamedWithItsRow()
    {
        var tokenizer = CharTokenizer.Train("abcdefghijklmnopqrstuvwxyz \n"u8);
        string rows = folder.Write(
            "rows.jsonl", "{\"question\":\"a\",\"answer\":\"b\"}\n\n{\"question\":\"a\",\"answer\":\"7\"}\n");
        UserError.Expect(() => new ChatExamples(ChatRows.Read(rows), tokenizer, 64), "rows.jsonl, line 3: ", "7");
        string pairs = folder.Write(
            "pairs.json",
            "[{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"c\"},"
            + "{\"prompt\":\"7\",\"chosen\":\"b\",\"rejected\":\"c\"}]");
        UserError.Expect(
            () => new PreferenceExamples(PreferenceRows.Read(pairs).Pairs, tokenizer, 64), "pairs.json, row 2: ", "7");
        string choices = folder.Write("choices.jsonl", "{\"question\":\"a\",\"choices\":[\"b\",\"7\"],\"answer\":0}");
        UserError.Expect(
            () => new ChoiceExamples(ChoiceRows.Read(choices), tokenizer, 64, chat: false), "choices.jsonl, line 1: ",
            "7");
        var error = UserError.Expect(
            () => new ChatExamples(ChatData.Read("builtin:questions", Split.Train), tokenizer, 64),
            "builtin:questions, row ");
        Assert.Matches("^builtin:questions, row [0-9]+: ", error.Message);
    }

    [Fact]
    public void ValidationRows_AreNamedByTheirOption()
    {
        string rows = folder.Write("rows.jsonl", "{\"question\":\"a\",\"answer\":\"b\"}\n");
        UserError.Expect(() => ChatData.Load([rows], ["builtin:stories"]), "--val-data builtin:stories");
        UserError.Expect(
            () => ChatData.Load(
            [rows], [folder.Write("no.jsonl", "{\"question\":\"a\",\"answer\":\"b\",\"weight\":0}")]), "--val-data",
            "no row is to be learned");
        UserError.Expect(() => RowFiles.Expand([folder["*.none"]], "--val-data"), "--val-data ", "no file matches");
        UserError.Expect(() => RowFiles.Expand([folder.Path + "/*.txt"], "--val-data"), "--val-data ");
        foreach (string word in (string[])[folder["none.txt"], folder["*.none"], "builtin:poems",
            folder.Write("e.txt", ""), folder.Write("a.zip", "PK"), rows + "=0", folder.Write("0.tokens", "x")])
        {
            UserError.Expect(
                () => DataSource.Parse([word], new SourceOptions(), "--val-data"),
                $"--val-data {word.Replace("=0", "", StringComparison.Ordinal)}");
        }
    }

    private string Write(string name, string text) =>
        folder.Write(
            name, SourceReading.Compress(
                Encoding.UTF8.GetBytes(text), name.EndsWith(".gz", StringComparison.Ordinal)
                || name.EndsWith(".zst", StringComparison.Ordinal) ? Path.GetExtension(name) : ""));
}
