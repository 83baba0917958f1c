using System.Text.Json.Nodes;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// Model folders that are missing, damaged, foreign or made to take the memory: one line, exit code 2, and not a moment
/// of doubt.
/// </summary>
public sealed class BadModelTests(BadModelTests.Fixture fixture) : IClassFixture<BadModelTests.Fixture>, IDisposable
{
    private const long MostBytes = 400L << 20;

    private readonly SmallRun run = fixture.Run;
    private readonly string model = fixture.Run[$"model-{Guid.NewGuid():N}"];

    [Theory]
    [InlineData("model.safetensors", "there is no model.safetensors")]
    [InlineData("config.json", "there is no config.json")]
    [InlineData("tokenizer.json", "tokenizer.json")]
    public void AMissingFile_IsNamed(string file, string part)
    {
        Copy();
        File.Delete(Path.Combine(model, file));
        Refuse(part);
    }

    [Fact]
    public void AMissingFolder_IsNamed()
    {
        foreach (string command in new[] { "generate --prompt a", "info", "eval --data text.txt" })
            run.Refuse($"{command} --model nowhere", "nowhere: there is no such folder");
        run.Refuse("generate --prompt a --model text.txt", "text.txt");
    }

    [Fact]
    public void TruncatedWeights_AreRefused_AtAnyLength()
    {
        Copy();
        string path = Path.Combine(model, "model.safetensors");
        byte[] whole = File.ReadAllBytes(path);
        foreach (int length in new[] { 0, 1, 7, 8, 9, 1000, whole.Length / 2 + 1000, whole.Length - 1 })
        {
            File.WriteAllBytes(path, whole[..length]);
            Refuse("model.safetensors");
        }

        File.WriteAllBytes(path, [.. whole, 0]);
        Refuse("model.safetensors");
    }

    [Fact]
    public void ForeignWeights_AreRefused()
    {
        Copy();
        File.Copy(Path.Combine(model, "optimizer.safetensors"), Path.Combine(model, "model.safetensors"),
            overwrite: true);
        Refuse("model.safetensors", "is missing");

        Copy();
        File.Copy(run["other/model.safetensors"], Path.Combine(model, "model.safetensors"), overwrite: true);
        Refuse("model.safetensors", "config.json asks for");

        Copy();
        File.Copy(run["other/model.safetensors"], Path.Combine(model, "model.safetensors"), overwrite: true);
        File.Copy(run["other/config.json"], Path.Combine(model, "config.json"), overwrite: true);
        File.Copy(run["char/tokenizer.json"], Path.Combine(model, "tokenizer.json"), overwrite: true);
        // a smaller vocabulary than the weights' can be used.
        Assert.Equal(0, run.CommandLine.Run($"info --model {model}").ExitCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"model_type\": \"mamba\"}")]
    [InlineData("{\"model_type\": \"\\ud800\"}")]
    [InlineData("{\"model_type\": \"qwen3\"}")]
    [InlineData("{\"model_type\": \"gpt2\", \"n_embd\": \"wide\"}")]
    [InlineData("{\"model_type\": \"gpt2\", \"n_embd\": 99999999999}")]
    public void AMalformedConfig_IsRefused(string config)
    {
        Copy();
        File.WriteAllText(Path.Combine(model, "config.json"), config);
        Refuse("config.json");
    }

    [Theory]
    [InlineData("num_hidden_layers")]
    [InlineData("num_attention_heads")]
    [InlineData("num_key_value_heads")]
    [InlineData("hidden_size")]
    [InlineData("intermediate_size")]
    [InlineData("max_position_embeddings")]
    [InlineData("head_dim")]
    [InlineData("vocab_size")]
    public void ASizeInTheConfig_ThatCannotBe_IsRefusedWithoutItsMemory(string field)
    {
        foreach (string value in new[] { "2000000000", "16777216", field == "head_dim" ? "1.5" : "-1" })
        {
            Copy();
            string path = Path.Combine(model, "config.json");
            var json = JsonNode.Parse(File.ReadAllText(path))!;
            json[field] = JsonNode.Parse(value);
            File.WriteAllText(path, json.ToJsonString());
            Assert.InRange(Refuse(model).PeakBytes, 0, MostBytes);
        }
    }

    [Fact]
    public void AVocabularyOfOtherFiles_IsRefused()
    {
        Copy();
        File.Copy(run["bpe/tokenizer.json"], Path.Combine(model, "tokenizer.json"), overwrite: true);
        Refuse("300 ids", "259");

        Copy();
        File.WriteAllText(Path.Combine(model, "tokenizer.json"), "{");
        Refuse("tokenizer.json");
    }

    [Theory]
    [InlineData("--temperature -1", "--temperature is -1")]
    [InlineData("--top-p 0", "--top-p is 0")]
    [InlineData("--top-p 1.5", "--top-p is 1.5")]
    [InlineData("--top-k -1", "--top-k is -1")]
    [InlineData("--min-p 2", "--min-p is 2")]
    [InlineData("--repetition-penalty 0", "--repetition-penalty is 0")]
    [InlineData("--max-tokens 0", "--max-tokens 0")]
    [InlineData("--count 0", "--count 0")]
    [InlineData("--device cuda", "--device cuda")]
    [InlineData("--threads -1", "--threads -1")]
    public void Generate_RefusesSettings(string option, string part) =>
        run.Refuse($"generate --model base --prompt a {option}", part);

    [Theory]
    [InlineData("generate --model base --chat", "--chat: there is no prompt")]
    [InlineData("generate --model chars --prompt caf\u00E9", "U+00E9")]
    [InlineData("eval --model base --data missing.txt", "missing.txt")]
    [InlineData("eval --model base --data empty.txt", "empty.txt")]
    [InlineData("eval --model base --data text.txt --batch-size 0", "--batch-size 0")]
    [InlineData("eval --model base --data text.txt --batch-size 100000000", "a smaller batch")]
    [InlineData("eval --model base --data text.txt --exact-match", "--exact-match")]
    [InlineData("tokenizer decode --tokenizer bpe --input large.ids", "999999")]
    [InlineData("tokenizer decode --tokenizer bpe --input negative.ids", "-1")]
    [InlineData("tokenizer decode --tokenizer bpe --input text.txt", "is no token id")]
    [InlineData("tokenizer encode --tokenizer bpe --input missing.txt", "missing.txt")]
    [InlineData("tokenizer encode --tokenizer nowhere --input text.txt", "nowhere")]
    [InlineData("tokenizer encode --tokenizer char --input invalid.txt", "UTF-8")]
    [InlineData("tokenizer train --data missing.txt --out new", "missing.txt")]
    [InlineData("tokenizer train --data empty.txt --out new", "empty.txt")]
    [InlineData("tokenizer train --data text.txt --vocab-size 10 --out new", "vocabulary of 10")]
    [InlineData("tokenizer train --data invalid.txt --tokenizer char --out new", "UTF-8")]
    [InlineData("tokenizer train --data text.txt --out empty.txt", "empty.txt")]
    public void OtherCommands_Refuse(string words, string part) => run.Refuse(words, part);

    public void Dispose()
    {
        if (Directory.Exists(model))
            Directory.Delete(model, recursive: true);
    }

    private void Copy()
    {
        Dispose();
        FolderContent.Copy(run.Checkpoint("base")!, model);
    }

    // Other tests work beside this one: only this model's folder must stay as it is.
    private CommandResult Refuse(params string[] parts)
    {
        var before = FolderContent.Of(model);
        var result = run.CommandLine.Run($"generate --prompt a --max-tokens 1 --threads 1 --model {model}");
        SmallRun.CheckRefused(result, 2, parts);
        Assert.Equal(before, FolderContent.Of(model));
        return result;
    }

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            Run.Folder.Write("empty.txt", "");
            Run.Folder.Write("ascii.txt", SmallRun.Text(2000).Replace("\u00E9", "e", StringComparison.Ordinal));
            Run.Folder.Write("invalid.txt", [0x61, 0xFF, 0x62]);
            Run.Folder.Write("large.ids", "1 2 999999\n");
            Run.Folder.Write("negative.ids", "1 -1\n");
            Run.Succeed($"{SmallRun.Pretrain} --steps 1 --out base");
            Run.Succeed("pretrain --data text.txt --preset tiny --layers 1 --width 64 --heads 2 --tokenizer byte "
                + "--threads 1 --context 16 --batch-size 2 --steps 1 --out other");
            Run.Succeed("pretrain --data ascii.txt --preset tiny --layers 1 --width 32 --heads 2 --tokenizer char "
                + "--threads 1 --context 16 --batch-size 2 --steps 1 --out chars");
            Run.Succeed("tokenizer train --data text.txt --vocab-size 300 --out bpe");
            Run.Succeed("tokenizer train --data ascii.txt --tokenizer char --out char");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
