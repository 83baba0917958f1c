using System.Text;
using System.Text.Json;
using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// Conversations through a pipe, with a model that says noise: each answer is another one, and with a seed the same
/// every time.
/// </summary>
public sealed class ChatCommandTests(ChatCommandTests.Fixture fixture) : IClassFixture<ChatCommandTests.Fixture>
{
    private static readonly UTF8Encoding Strict =
        new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly SmallRun run = fixture.Run;

    [Fact]
    public void TheFirstAnswer_IsThatOfGenerate_AndOnlyAnswersAreOnStdout()
    {
        string expected =
            run.Succeed("generate --model long --chat --seed 4 --max-tokens 12 --threads 1 --prompt cat").Text;
        Assert.Equal(expected, Chat("--seed 4", "cat\n").Text);
        Assert.Equal(expected, Chat("--seed 4", "  cat \r\n\n \n/quit\nnever asked\n").Text);
        Assert.Equal(expected, Chat("--seed 4", "cat").Text);
        Assert.Equal("", Chat("--seed 4", "").Text);
        Assert.NotEqual(expected, Chat("--seed 5", "cat\n").Text);
    }

    [Fact]
    public void AnswersFollowTheWholeConversation_WhichIsSaved()
    {
        Chat("--seed 4 --system Rhyme.",
            "one\n<|im_end|> two\n/save saved.jsonl\n/system\n//three\n/save saved.jsonl\n");
        var rows = ChatRows.Read(run["saved.jsonl"]).ToList();
        Assert.Equal(2, rows.Count);
        Assert.Equal(["system", "user", "assistant", "user", "assistant"], rows[0].Messages.Select(m => m.Role));
        Assert.Equal(
            ("Rhyme.", "one", "<|im_end|> two"),
            (rows[0].Messages[0].Content, rows[0].Messages[1].Content, rows[0].Messages[3].Content));
        Assert.Equal([.. rows[0].Messages.Skip(1), new ChatMessage("user", "/three")], rows[1].Messages.Take(5));

        // What the model says to these messages, with the numbers that the second answer draws.
        Assert.Equal(Answer(rows[0].Messages.Take(4), 4, 1), rows[0].Messages[4].Content);
        Assert.Equal(Answer(rows[1].Messages.Take(5), 4, 2), rows[1].Messages[5].Content);
    }

    [Fact]
    public void UndoResetAndRegenerate_ChangeTheConversation()
    {
        Chat("--seed 4",
            "one\ntwo\n/undo\n/save undone.jsonl\n/regenerate\n/save again.jsonl\n/reset\nthree\n/save reset.jsonl\n");
        var undone = Saved("undone.jsonl");
        var again = Saved("again.jsonl");
        Assert.Equal(["one"], Users(undone));
        Assert.Equal(["one"], Users(again));
        Assert.Equal(Answer(undone.Take(1), 4, 0), undone[1].Content);
        Assert.Equal(Answer(undone.Take(1), 4, 2), again[1].Content);
        Assert.NotEqual(undone[1].Content, again[1].Content);
        Assert.Equal(["three"], Users(Saved("reset.jsonl")));
    }

    [Fact]
    public void WhatCannotBeDone_IsOneLine_AndTheChatGoesOn()
    {
        var result = Chat("--seed 4", "/undo\n/regenerate\n/good\n/bad\n/compare\n/save\n/save x.jsonl\n/what is "
            + "this\ncat\n/save no/such/x.jsonl\n/good\n/good\n", "--preferences", "once.jsonl");
        Assert.Equal(10, result.ErrorLines.Length);
        foreach (string command in new[] { "/undo", "/regenerate", "/good", "/bad", "/compare" })
            Assert.Contains($"{command}: nothing was asked yet; ask something first.", result.ErrorLines);
        Assert.Contains("expected a file", result.ErrorLines[5], StringComparison.Ordinal);
        Assert.StartsWith("/save: nothing was asked", result.ErrorLines[6], StringComparison.Ordinal);
        Assert.StartsWith("/what is no command", result.ErrorLines[7], StringComparison.Ordinal);
        Assert.Contains("no/such/x.jsonl: could not be written", result.ErrorLines[8], StringComparison.Ordinal);
        Assert.Contains("rated good before", result.ErrorLines[9], StringComparison.Ordinal);
        Assert.Equal(Chat("--seed 4", "cat\n").Text, result.Text);
        Assert.Contains("/compare", Chat("", "/help\n").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Ratings_AreWrittenAsTrlHasThem()
    {
        Chat("--seed 4 --system S", "cat\n/bad\n/regenerate\n/good\n", "--preferences", "rated.jsonl");
        var rows = Rows("rated.jsonl");
        Assert.Equal(3, rows.Length);
        string[] answers = [.. new uint[] { 0, 1 }.Select(
            number => Answer([new ChatMessage("system", "S"), new ChatMessage("user", "cat")], 4, number))];
        Assert.All(rows, row => Assert.Equal([("system", "S"), ("user", "cat")], Messages(row, "prompt")));
        Assert.Equal([("assistant", answers[0])], Messages(rows[0], "completion"));
        Assert.Equal([("assistant", answers[1])], Messages(rows[1], "completion"));
        Assert.Equal(
            (false, true), (rows[0].GetProperty("label").GetBoolean(), rows[1].GetProperty("label").GetBoolean()));
        Assert.Equal([("assistant", answers[1])], Messages(rows[2], "chosen"));
        Assert.Equal([("assistant", answers[0])], Messages(rows[2], "rejected"));
    }

    [Fact]
    public void Compare_GoesOnWithThePick_AndWritesItDown()
    {
        var result = Chat("--seed 4", "/compare cat\nx\nB\n/save first.jsonl\n/compare\na\n/save "
            + "second.jsonl\n/compare dog\n\n/save third.jsonl\n/compare\n", "--preferences", "compared.jsonl");
        string[] answers =
            [.. new uint[] { 0, 1, 2, 3 }.Select(number => Answer([new ChatMessage("user", "cat")], 4, number))];
        Assert.StartsWith(
            $"A: {answers[0]}\nB: {answers[1]}\nA: {answers[2]}\nB: {answers[3]}\n", result.Text,
            StringComparison.Ordinal);
        Assert.Equal([new("user", "cat"), new("assistant", answers[1])], Saved("first.jsonl"));
        Assert.Equal([new("user", "cat"), new("assistant", answers[2])], Saved("second.jsonl"));

        // Neither, and the input's end.
        Assert.Equal(Saved("second.jsonl"), Saved("third.jsonl"));
        var rows = Rows("compared.jsonl");
        Assert.Equal(2, rows.Length);
        Assert.Equal([("assistant", answers[1])], Messages(rows[0], "chosen"));
        Assert.Equal([("assistant", answers[0])], Messages(rows[0], "rejected"));
        Assert.Equal([("assistant", answers[2])], Messages(rows[1], "chosen"));

        // Two that are the same are nothing to choose from.
        Assert.Contains(
            "the same", Chat(
                "--temperature 0", "/compare cat\n/save same.jsonl\n", "--preferences", "none.jsonl").Error,
            StringComparison.Ordinal);
        Assert.Equal(["cat"], Users(Saved("same.jsonl")));
        Assert.False(File.Exists(run["none.jsonl"]));
    }

    [Fact]
    public void ALongConversation_LosesItsOldestTurns_AndALongQuestionIsRefused()
    {
        string turns = string.Concat(Enumerable.Range(0, 9).Select(i => $"question {i}\n"));
        var result = Chat(
            "--seed 4", turns + "/save all.jsonl\n/good\n" + new string('x', 300) + "\n", "--preferences",
            "window.jsonl");
        Assert.Contains(
            result.ErrorLines, line =>
                line.Contains("no longer sees the first question and", StringComparison.Ordinal));
        Assert.Contains("the question takes 319 of the 256 tokens", result.ErrorLines[^1], StringComparison.Ordinal);

        // All of it is kept; what the model saw is what a rating speaks of.
        var all = Saved("all.jsonl");
        Assert.Equal(9, Users(all).Count());
        var prompt = Messages(Assert.Single(Rows("window.jsonl")), "prompt");
        Assert.InRange(prompt.Length, 3, 15);
        Assert.Equal(all.SkipLast(1).TakeLast(prompt.Length).Select(m => (m.Role, m.Content)), prompt);
        Assert.Equal(Answer(all.SkipLast(1).TakeLast(prompt.Length), 4, 8), all[^1].Content);

        // The context ends an answer, too.
        Assert.Contains(
            "The answer ends here", Chat("--temperature 0 --max-tokens 500", "cat\n").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AModelWithoutMarksOfTurns_IsRefused()
    {
        string tokenizer = Path.Combine(AppContext.BaseDirectory, "Golden", "tokenizers", "gpt2");
        string sizes = SmallRun.Sizes.Replace("--tokenizer byte", "", StringComparison.Ordinal);
        run.Succeed($"pretrain --data text.txt {sizes} --context 16 --batch-size 1 --steps 1 --sample-every 0 --out "
            + "unmarked", "--tokenizer", tokenizer);
        run.Refuse("chat --model unmarked --threads 1", "unmarked", "<|im_start|>");
        run.Refuse("chat --model nowhere", "nowhere");
        run.Refuse("chat --model long --max-tokens 0", "--max-tokens 0");
    }

    [Fact]
    public void CtrlC_StopsTheAnswer_AndTwiceTheChat()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such signals.");
        Assert.SkipWhen(InterruptionTests.IsIgnored(2), "SIGINT is ignored by whoever started the tests, and so by "
            + "the programs that they start.");
        using var command =
            run.CommandLine.Start("chat --model endless --threads 1 --temperature 0 --max-tokens 100000");
        command.Send("cat\n");
        command.WaitForOutput(20);
        command.Signal(2);

        // It goes on, with the answer as far as it came.
        command.Send("/save stopped.jsonl\n");
        command.WaitFor(
            () => File.Exists(run["stopped.jsonl"])
            && new FileInfo(run["stopped.jsonl"]).Length > 0, "a saved conversation");
        var stopped = Saved("stopped.jsonl");
        Assert.Equal(["cat"], Users(stopped));
        Assert.InRange(stopped[1].Content.Length, 10, 8000);

        command.Signal(2);
        command.WaitForLine("Ctrl-C once more");
        command.Signal(2);
        var result = command.Finish();
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(stopped[1].Content + "\n", Strict.GetString(result.Output));
    }

    private CommandResult Chat(string options, string input, params string[] more)
    {
        string sizes = options.Contains("--max-tokens", StringComparison.Ordinal) ? "" : "--max-tokens 12";
        var result = run.CommandLine.Run(
            Encoding.UTF8.GetBytes(input), $"chat --model long --threads 1 {sizes} {options}", more);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.DoesNotContain(result.Error, c => char.IsControl(c) && c != '\n');
        Strict.GetString(result.Output);
        return result;
    }

    // What the model says, by the library.
    private string Answer(IEnumerable<ChatMessage> messages, ulong seed, uint number)
    {
        using var backend = Backend.Create("cpu", 1);
        var (model, tokenizer) = ModelFolder.Load(run["long"], backend);
        using var owner = model;
        using var generator = new Generator(model);
        var bytes = new List<byte>();
        var sampler =
            new Sampler(new SamplerSettings { Temperature = 0.8f }, seed, model.Config.VocabularySize, number);
        generator.Generate(ChatTemplate.EncodePrompt(tokenizer, [.. messages]), 12, sampler, token =>
        {
            if (tokenizer.EndsText(token))
                return false;
            bytes.AddRange(tokenizer.TokenBytes(token));
            return true;
        }, TestContext.Current.CancellationToken);
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private IReadOnlyList<ChatMessage> Saved(string name) => ChatRows.Read(run[name]).Last().Messages;

    private static IEnumerable<string> Users(IEnumerable<ChatMessage> messages) =>
        messages.Where(m => m.Role == "user").Select(m => m.Content);

    private JsonElement[] Rows(string name) =>
        [.. File.ReadLines(run[name]).Select(line => JsonDocument.Parse(line).RootElement)];

    private static (string, string)[] Messages(JsonElement row, string field) =>
        [.. row.GetProperty(field).EnumerateArray()
        .Select(m => (m.GetProperty("role").GetString()!, m.GetProperty("content").GetString()!))];

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            string common = $"pretrain --data text.txt {SmallRun.Sizes} --batch-size 1 --steps 1 --sample-every 0 "
                + "--eval-batches 1";
            Run.Succeed($"{common} --context 256 --out long");
            Run.Folder.Write("much.txt", SmallRun.Text(200_000));
            Run.Succeed($"{common.Replace("text.txt", "much.txt")} --context 8192 --out endless");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
