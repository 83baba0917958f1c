using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using TinyLlm.Tests.Data.Sources;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>tokenizer, eval, info, devices and help; and what goes to stdout and what to stderr.</summary>
public sealed partial class OtherCommandTests(OtherCommandTests.Fixture fixture)
    : IClassFixture<OtherCommandTests.Fixture>
{
    private readonly SmallRun run = fixture.Run;

    [Theory]
    [InlineData("bpe", "--vocab-size 300", "bpe tokenizer with 300 tokens")]
    [InlineData("byte", "", "byte tokenizer with 259 tokens")]
    [InlineData("char", "", "char tokenizer with ")]
    public void Tokenizer_TrainsEachKind_AndRoundTrips(string kind, string size, string part)
    {
        string folder = $"tokenizer-{kind}";
        Assert.Contains(
            part, run.Succeed($"tokenizer train --data text.txt --tokenizer {kind} {size} --out {folder}").Text,
            StringComparison.Ordinal);
        RoundTrip(folder, File.ReadAllBytes(run["text.txt"]));
        if (kind == "char")
            return;

        // Any bytes, in any order.
        var random = new Random(11);
        var bytes = new byte[4096];
        random.NextBytes(bytes);
        RoundTrip(folder, bytes);
        RoundTrip(folder, [.. Enumerable.Range(0, 256).Select(b => (byte)b)]);
        RoundTrip(folder, []);
        RoundTrip(folder, Encoding.UTF8.GetBytes("<|endoftext|> is text here\r\n\tas is <|im_end|>"));
    }

    [Fact]
    public void Tokenizer_ReadsAFile_AndAModelFolder()
    {
        string ids = run.Succeed("tokenizer encode --tokenizer base --input text.txt").Text;
        Assert.Equal(string.Join(' ', File.ReadAllBytes(run["text.txt"])) + "\n", ids);
        run.Folder.Write("text.ids", ids.Replace(" ", "\r\n\t ", StringComparison.Ordinal));
        Assert.Equal(
            File.ReadAllBytes(run["text.txt"]),
            run.Succeed("tokenizer decode --tokenizer base --input text.ids").Output);
    }

    [Fact]
    public void Eval_GivesTheRunsValidationLoss_OnTheSameText()
    {
        byte[] text = File.ReadAllBytes(run["text.txt"]);
        int cut = (int)(text.Length * 0.9);
        while ((text[cut] & 0xC0) == 0x80)
            cut++;
        run.Folder.Write("held.txt", text[cut..]);
        run.Succeed($"{SmallRun.Pretrain} --val-data held.txt --steps 3 --out apart");
        var last = RunLog.Read(run["apart/metrics.jsonl"])[^1];

        foreach (string options in new[] { "--threads 1", "--threads 1 --batch-size 3", "--threads 2" })
        {
            var match = EvalLine().Match(run.Succeed($"eval --model apart --data held.txt {options}").Text);
            Assert.True(match.Success);
            Assert.Equal(last.ValLoss!.Value, Number(match, "loss"), 1e-4);
            Assert.Equal(last.ValBitsPerByte!.Value, Number(match, "bits"), 1e-4);
            Assert.Equal(Math.Exp(last.ValLoss.Value), Number(match, "perplexity"), 0.05);

            // All bytes of the text, and the token that ends it.
            Assert.Equal(text.Length - cut + 1, Number(match, "tokens"));
        }
    }

    [Fact]
    public void Eval_OfEightBitWeights_IsNearThatOfFloats()
    {
        double[] losses = [.. new[] { "fp32", "int8" }.Select(
            type => Number(
                EvalLine().Match(run.Succeed($"eval --model base --data text.txt --threads 1 --weights {type}").Text),
                "loss"))];
        Assert.NotEqual(losses[0], losses[1]);
        Assert.Equal(losses[0], losses[1], 0.01);
    }

    [Fact]
    public void Eval_MeasuresConversations_AndCountsExactAnswers()
    {
        string text = run.Succeed("eval --model long --data rows.jsonl --exact-match --threads 1").Text;
        Assert.Matches(EvalLine(), text);
        Assert.Matches(@"exact match \d+ of 40, ", text);
    }

    [Fact]
    public void Eval_OfJsonLines_LooksAtTheFirstRow()
    {
        run.Folder.Write(
            "texts.jsonl", "{\"text\": \"the cat sat on a mat.\"}\n{\"text\": \"and saw one small dog.\"}\n");
        run.Folder.Write(
            "bodies.jsonl", "{\"body\": \"the cat sat on a mat.\"}\n{\"body\": \"and saw one small dog.\"}\n");
        string texts = run.Succeed("eval --model base --data texts.jsonl --threads 1").Text;
        Assert.Equal(
            texts.Replace("texts", "bodies"),
            run.Succeed("eval --model base --data bodies.jsonl --text-field body --threads 1").Text);
        run.Refuse("eval --model base --data bodies.jsonl --threads 1", "bodies.jsonl, line 1", "\"text\"",
            "fields are: body", "--text-field");
        run.Refuse("eval --model base --data texts.jsonl --exact-match --threads 1", "--exact-match",
            "texts.jsonl holds no conversations");

        run.Folder.Write("rows.jsonl.gz", SourceReading.Compress(File.ReadAllBytes(run["rows.jsonl"]), ".gz"));
        string rows = run.Succeed("eval --model long --data rows.jsonl --threads 1").Text;
        Assert.Equal(
            rows.Replace("rows.jsonl", "rows.jsonl.gz"),
            run.Succeed("eval --model long --data rows.jsonl.gz --threads 1").Text);
    }

    [Fact]
    public void Finetune_ReadsCompressedRows()
    {
        foreach (string ending in new[] { "", ".gz", ".zst" })
        {
            run.Folder.Write(
                "same.jsonl" + ending, SourceReading.Compress(File.ReadAllBytes(run["rows.jsonl"]), ending));
            run.Succeed($"finetune --model long --data same.jsonl{ending} --batch-size 2 --steps 2 --sample-every 0 "
                + $"--threads 1 --out same{ending}");
            Assert.Equal(
                File.ReadAllBytes(run["same/model.safetensors"]),
                File.ReadAllBytes(run[$"same{ending}/model.safetensors"]));
        }

        run.Folder.Write("rows.zip", "PK");
        run.Refuse("finetune --model long --data rows.zip --steps 2 --out zip", "rows.zip", "a ZIP archive",
            "Unpack it");
    }

    [Fact]
    public void Finetune_TakesRows_WithAndWithoutAUser()
    {
        run.Folder.Write(
            "alone.jsonl",
            string.Concat(
                Enumerable.Range(0, 12)
                .Select(i => $"{{\"messages\": [{{\"role\": \"assistant\", \"content\": \"{i}\"}}]}}\n")));
        run.Folder.Write("system.jsonl", string.Concat(Enumerable.Range(0, 12).Select(i =>
            $"{{\"messages\": [{{\"role\": \"system\", \"content\": \"Be\"}}, {{\"role\": \"user\", \"content\": "
            + $"\"a\"}}, {{\"role\": \"assistant\", \"content\": \"{i}\"}}]}}\n")));
        foreach (string rows in new[] { "alone", "system" })
        {
            run.Succeed($"finetune --model long --data {rows}.jsonl --batch-size 2 --steps 2 --sample-every 1 "
                + $"--threads 1 --out chat-{rows}");
        }

        // A system's turn alone is longer than what a context of 16 tokens has: said, not crashed.
        run.Refuse("finetune --model base --data system.jsonl --steps 2 --out new",
            "no row with an assistant's answer");
    }

    [Fact]
    public void Info_TellsWhatAModelIs_AndHowItWasTrained()
    {
        string text = run.Succeed("info --model base").Text;
        // 259 x 32 token table, 4 projections of 32 x 32, an MLP of 3 x 32 x 128, two norms and the last, two norms of
        // heads of 16.
        const int Parameters = 259 * 32 + 4 * 32 * 32 + 3 * 32 * 128 + 3 * 32 + 2 * 16;
        Assert.Contains(
            string.Create(CultureInfo.InvariantCulture, $"parameters    {Parameters:N0}\n"), text,
            StringComparison.Ordinal);
        foreach (string part in new[] { "qwen3", "16 tokens", "byte, 259 tokens", "pretrain: 40 steps",
            "--data text.txt" })
            Assert.Contains(part, text, StringComparison.Ordinal);
    }

    [Fact]
    public void Info_GivesTheOptionsInLinesThatCanBeTyped()
    {
        string text = run.Succeed("info --model base").Text;
        string[] options = [.. text.Split('\n')
            .SkipWhile(line => !line.StartsWith("options ", StringComparison.Ordinal))
            .TakeWhile(line => line.Length > 0)];
        Assert.All(options, line => Assert.InRange(line.Length, 15, 80));
        Assert.All(options.Skip(1), line => Assert.StartsWith("              --", line, StringComparison.Ordinal));
        string all = string.Join(' ', options.Select(line => line[14..]));
        foreach (var (name, value) in TrainerFile.Load(run.Checkpoint("base")!).Options)
            Assert.Contains($"{name} {value}", all, StringComparison.Ordinal);
    }

    [Fact]
    public void SuggestedCommands_QuoteWhatAShellWouldTakeApart()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has other quotes.");
        var trained = run.CommandLine.Run($"{SmallRun.Pretrain} --steps 2", "--out", "my own run's");
        string[] next = [.. trained.Text.Split('\n').Where(line => line.StartsWith("  ", StringComparison.Ordinal))];
        Assert.Equal(2, next.Length);
        Assert.All(next, line => Assert.Contains(@"--model 'my own run'\''s'", line, StringComparison.Ordinal));

        // It runs as it stands.
        var result = run.CommandLine.RunInShell(next[0] + " --max-tokens 2 --threads 1");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.StartsWith("Once upon a time", result.Text, StringComparison.Ordinal);
        var paused = run.CommandLine.Run($"{SmallRun.Pretrain} --steps 4 --stop-after 2", "--out", "a pause");
        string command = paused.Text[(
            paused.Text.IndexOf("Go on with: ", StringComparison.Ordinal) + "Go on with: ".Length)..];
        Assert.Equal(0, run.CommandLine.RunInShell(command).ExitCode);
    }

    [Fact]
    public void Help_OfEveryCommand_IsOnStdout()
    {
        foreach (string command in new[] { "", "pretrain ", "finetune ", "generate ", "chat ", "eval ", "info ",
            "tokenizer ", "tokenizer train ", "tokenizer encode ", "tokenizer decode ", "devices " })
        {
            var result = run.Succeed(command + "--help");
            Assert.Equal("", result.Error);
            Assert.Contains("Usage:", result.Text, StringComparison.Ordinal);
            if (command.Length > 0)
                Assert.Contains("tinyllm " + command, result.Text, StringComparison.Ordinal);
        }

        string overview = run.Succeed("").Text;
        Assert.Contains("Usage:", overview, StringComparison.Ordinal);
        Assert.All(new[] { "pretrain", "finetune", "generate", "chat", "eval", "info", "tokenizer", "devices" },
            command => Assert.Matches($@"\n +{command} ", overview));
        Assert.Matches(@"^\d+\.\d+\.\d+", run.Succeed("--version").Text);
    }

    [Fact]
    public void Devices_NamesTheOneThatAutoTakes() =>
        Assert.Contains(
            "<- auto", Assert.Single(
                run.Succeed("devices").Text.Split('\n'), line => line.StartsWith("cpu", StringComparison.Ordinal)),
            StringComparison.Ordinal);

    [Fact]
    public void Training_WritesResultsToStdout_AndPlainProgressLinesToStderr()
    {
        string common = $"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --steps 6 "
            + "--sample-every 2 --eval-every 3 --out streams";
        var result = run.Succeed(common);

        Assert.StartsWith("Done: 6 steps, 192 tokens", result.Text, StringComparison.Ordinal);
        Assert.Contains("generate --model streams", result.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("step ", result.Text, StringComparison.Ordinal);
        foreach (string part in new[] { "data", "model", "memory", "device", "run      streams", "step      1/6",
            "validation loss", "bits/byte", "tokens/s", "sample at step 2:" })
            Assert.Contains(part, result.Error, StringComparison.Ordinal);

        // No escape codes, no control characters of an untrained model's samples, no live display.
        Assert.DoesNotContain(result.Error, c => char.IsControl(c) && c != '\n');
        Assert.DoesNotContain(result.Text, c => char.IsControl(c) && c != '\n');
        Assert.True(result.ErrorLines.Length < 40, result.Error);
    }

    [Fact]
    public void AFolderWithoutAName_IsTheNextFreeOne()
    {
        run.Succeed($"{SmallRun.Pretrain} --steps 1");
        run.Succeed($"{SmallRun.Pretrain} --steps 1");
        Assert.True(File.Exists(run["runs/text-1/model.safetensors"]));
        Assert.True(File.Exists(run["runs/text-2/model.safetensors"]));
    }

    [Fact]
    public void Force_ReplacesARun_AndKeepsOtherFiles()
    {
        run.Succeed($"{SmallRun.Pretrain} --steps 3 --out forced");
        run.Folder.Write("forced/notes.txt", "mine");
        run.Succeed($"{SmallRun.Pretrain} --steps 2 --seed 2 --out forced --force");

        Assert.Equal(
            "step-00000002", Path.GetFileName(Assert.Single(Directory.GetDirectories(run["forced/checkpoints"]))));
        Assert.Equal("mine", File.ReadAllText(run["forced/notes.txt"]));
        Assert.Equal(2, RunLog.Read(run["forced/metrics.jsonl"])[^1].Step);
    }

    [Fact]
    public void Keep_IsTheNumberOfCheckpoints()
    {
        run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --sample-every 0 "
            + "--eval-every 0 --steps 5 --checkpoint-every 1 --keep 3 --out kept");
        Assert.Equal(
            ["step-00000003", "step-00000004", "step-00000005"],
            Directory.GetDirectories(run["kept/checkpoints"]).Select(d => Path.GetFileName(d))
                .Order(StringComparer.Ordinal));
    }

    private void RoundTrip(string folder, byte[] bytes)
    {
        var encoded = run.CommandLine.Run(bytes, $"tokenizer encode --tokenizer {folder}");
        Assert.True(encoded.ExitCode == 0, encoded.Error);
        Assert.Matches(@"^[0-9 ]*\n$", encoded.Text);
        var decoded = run.CommandLine.Run(encoded.Output, $"tokenizer decode --tokenizer {folder}");
        Assert.True(decoded.ExitCode == 0, decoded.Error);
        Assert.Equal(bytes, decoded.Output);
    }

    private static double Number(Match match, string group) =>
        double.Parse(match.Groups[group].Value, NumberStyles.Number, CultureInfo.InvariantCulture);

    [GeneratedRegex(
        @"^\S+: (?<tokens>[\d,]+) tokens  loss (?<loss>[\d.]+)  perplexity (?<perplexity>[\d.]+)  (?<bits>[\d.]+) bits/byte\r?\n")]
    private static partial Regex EvalLine();

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Run = new SmallRun();
            Run.Succeed($"{SmallRun.Pretrain} --steps 40 --out base");
            Run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 1 "
                + "--sample-every 0 --out long");
        }

        public SmallRun Run { get; }

        public void Dispose() => Run.Dispose();
    }
}
