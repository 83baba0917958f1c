using System.Text;
using System.Text.Json.Nodes;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>tokenizer show, export and encode with foreign tokenizers, and models that have one.</summary>
public sealed class TokenizerCommandTests(TokenizerCommandTests.Fixture fixture)
    : IClassFixture<TokenizerCommandTests.Fixture>
{
    private readonly SmallRun run = fixture.Run;

    [Fact]
    public void Show_GivesPiecesAndIds_ALineOfTextAtATime()
    {
        byte[] text = [.. "Hello world\tx\n two"u8, 0xFF, 0x1B, 0x7F];
        var result = run.CommandLine.Run(text, "tokenizer show --tokenizer cl100k");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Equal("Hello| world|\u2409x|\u240A\n9906 1917 10436 198\n two|<FF>|\u241B|\u2421\n1403 187 215 221\n21 "
            + "bytes, 8 tokens, 2.62 bytes per token\n", result.Text);
    }

    [Fact]
    public void Show_MakesWhatCannotBeSeenVisible()
    {
        string text = run.Succeed("tokenizer show --tokenizer words", "the\u202E zebra\u0085 fox").Text;
        Assert.Equal("the|<|unknown|>|<|unknown|>|<|unknown|>| fox", text.Split('\n')[0]);
        Assert.EndsWith(", 3 unknown\n", text, StringComparison.Ordinal);
        Assert.StartsWith(
            "\u4F60|<U+202E>|<U+0085>|<U+2028>|\u2400\n",
            run.Succeed("tokenizer show --tokenizer characters --input marks.txt").Text, StringComparison.Ordinal);
        Assert.Equal("0 bytes, 0 tokens\n", run.Succeed("tokenizer show --tokenizer gpt2", "").Text);
    }

    [Fact]
    public void Special_AllowsTheNamesOfAddedTokens()
    {
        foreach (string command in (string[])["encode", "show"])
        {
            byte[] text = "a<|eot_id|>"u8.ToArray();
            Assert.Contains(
                "64 605", Output(run.CommandLine.Run(text, $"tokenizer {command} --tokenizer llama3 --special")),
                StringComparison.Ordinal);
            Assert.DoesNotContain(
                "605", Output(run.CommandLine.Run(text, $"tokenizer {command} --tokenizer llama3")),
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Export_WritesAFolderWithTheSameIds()
    {
        foreach (string name in (string[])["gpt2", "llama3", "o200k"])
        {
            Assert.Contains(
                "bpe tokenizer with", run.Succeed($"tokenizer export --tokenizer {name} --out out-{name}").Text,
                StringComparison.Ordinal);
            string ids = run.Succeed($"tokenizer encode --tokenizer {name} --input text.txt").Text;
            Assert.Equal(ids, run.Succeed($"tokenizer encode --tokenizer out-{name} --input text.txt").Text);
            run.Folder.Write("some.ids", ids);
            Assert.Equal(
                File.ReadAllBytes(run["text.txt"]),
                run.Succeed($"tokenizer decode --tokenizer {name} --input some.ids").Output);
        }
    }

    [Theory]
    [InlineData("llama3", 606, 602, "[603,605]")]
    [InlineData("gpt2", 601, 600, "[600]")]
    public void Pretrain_WithATokenizerFromElsewhere_KeepsItsIds(string name, int size, int start, string ends)
    {
        Train(name);
        var config = JsonNode.Parse(File.ReadAllText(run[$"model-{name}/config.json"]))!;
        Assert.Equal((size, start), (config["vocab_size"]!.GetValue<int>(), config["bos_token_id"]!.GetValue<int>()));
        var generation = JsonNode.Parse(File.ReadAllText(run[$"model-{name}/generation_config.json"]))!;
        Assert.Equal(ends, generation["eos_token_id"]!.ToJsonString());
        run.Succeed($"generate --model model-{name} --prompt the --max-tokens 3 --threads 1");
        run.Succeed($"eval --model model-{name} --data text.txt --threads 1");
        run.Refuse($"finetune --model model-{name} --data rows.jsonl --steps 1 --threads 1 --out tuned",
            "no token <|im_start|>", "which a chat needs");
    }

    [Fact]
    public void Pretrain_OnWords_CanBeTaughtToChat()
    {
        Train("word");
        run.Succeed(
            "finetune --model model-word --data rows.jsonl --steps 1 --threads 1 --sample-every 0 --out tuned-word");
        Assert.Contains("word", run.Succeed("info --model tuned-word").Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tokenizer show --tokenizer cl100k --input text.txt x", "both a TEXT and an --input")]
    [InlineData("tokenizer show --tokenizer unigram x", "model type is Unigram")]
    [InlineData("tokenizer show --tokenizer half x", "no merges.txt")]
    [InlineData("tokenizer export --tokenizer gpt2 --out text.txt", "text.txt")]
    [InlineData("tokenizer export --tokenizer p50k --out new", "p50k")]
    [InlineData("pretrain --data text.txt --tokenizer half --steps 1 --out new", "no merges.txt")]
    public void WhatCannotBe_IsRefused(string words, string part) => run.Refuse(words, part);

    private static string Output(CommandResult result)
    {
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Text;
    }

    private void Train(string tokenizer) => run.Succeed(
        $"pretrain --data text.txt --preset tiny --layers 1 --width 32 --heads 2 --tokenizer {tokenizer} --threads 1 "
        + $"--context 32 --batch-size 2 --steps 2 --sample-every 1 --out model-{tokenizer}");

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            foreach (string name in (string[])["gpt2", "llama3", "qwen"])
                FolderContent.Copy(Path.Combine(AppContext.BaseDirectory, "Golden", "tokenizers", name), Run[name]);
            Run.Folder.Write("marks.txt", "\u4F60\u202E\u0085\u2028\0");
            Run.Succeed("tokenizer train --data marks.txt --tokenizer char --out characters");
            Directory.CreateDirectory(Run["half"]);
            File.Copy(Run["gpt2/vocab.json"], Run["half/vocab.json"]);
            Directory.CreateDirectory(Run["unigram"]);
            Run.Folder.Write("unigram/tokenizer.json", Encoding.UTF8.GetBytes("""{"added_tokens": [], "model": {"type": "Unigram", "vocab": []}}"""));
            FolderContent.Copy(Path.Combine(AppContext.BaseDirectory, "Golden", "tokenizers", "word"), Run["words"]);
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
