using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>Models that go on from others: pretrain --init, finetune --lora-rank, merge, --show-mask.</summary>
public sealed class AdapterCommandTests
{
    [Fact]
    public void Pretrain_GoesOnFromAModel()
    {
        using var run = new SmallRun();
        run.Succeed($"{SmallRun.Pretrain} --steps 60 --out base");
        string common = "pretrain --init base --data text.txt --batch-size 2 --threads 1 --lr 0.0001 --eval-every 0 "
            + "--sample-every 0 --checkpoint-every 0";
        run.Succeed($"{common} --steps 4 --out whole");
        run.Succeed($"{common} --steps 4 --out halves --stop-after 2");
        run.Succeed("pretrain --out halves --resume");
        FolderContent.SameFile(run["whole/model.safetensors"], run["halves/model.safetensors"]);

        // It begins where the base ended, not anew.
        double ended = Loss(run, "base", ^1), began = Loss(run, "whole", 0), anew = Loss(run, "base", 0);
        Assert.True(began < ended + 0.5 && began < anew - 1, $"the base ended at {ended}, the run began at {began}, a "
            + $"fresh model at {anew}");
        run.Refuse($"{common} --steps 4 --out other --layers 3", "--layers beside --init base");
        run.Refuse($"{common} --steps 4 --out other --tokenizer char", "--tokenizer beside --init base");
        run.Refuse(common.Replace("--init base", "--init nowhere", StringComparison.Ordinal) + " --steps 4 --out other",
            "nowhere", "no such folder");
    }

    [Fact]
    public void Adapters_AreTrained_Loaded_AndMerged()
    {
        using var run = new SmallRun();
        run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 3 --out base");
        var trained = run.Succeed("finetune --model base --data rows.jsonl --lora-rank 4 --lora-targets q_proj v_proj "
            + "down_proj --batch-size 4 --threads 1 --steps 10 --lr 0.01 --out lora");
        Assert.Contains("rank 4, alpha 8, of q_proj, v_proj, down_proj: ", trained.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(run["lora/model.safetensors"]));
        Assert.Contains(
            Path.GetFullPath(run["base"]), File.ReadAllText(run["lora/adapter_config.json"]), StringComparison.Ordinal);

        run.Succeed("merge --model lora --out merged");
        string adapted = run.Succeed("eval --model lora --data rows.jsonl").Text,
            merged = run.Succeed("eval --model merged --data rows.jsonl").Text;
        Assert.Equal(adapted, merged);
        Assert.NotEqual(adapted, run.Succeed("eval --model base --data rows.jsonl").Text);
        Assert.Equal(
            run.Succeed("generate --model lora --prompt cat --temperature 0 --max-tokens 20").Text,
            run.Succeed("generate --model merged --prompt cat --temperature 0 --max-tokens 20").Text);
        run.Succeed("info --model lora");

        run.Refuse("merge --model lora --out merged", "--out merged exists");
        run.Refuse("merge --model base --out other", "there is no adapter_config.json");
        run.Refuse("finetune --model lora --data rows.jsonl --lora-rank 2 --steps 2 --out other", "these are adapters",
            "tinyllm merge");
        run.Refuse("finetune --model base --data rows.jsonl --lora-alpha 2 --steps 2 --out other",
            "expected --lora-rank");
        run.Refuse("finetune --model base --data rows.jsonl --lora-rank 2 --lora-targets c_attn --steps 2 --out other",
            "--lora-targets c_attn", "q_proj");
        run.Refuse("generate --model lora --weights int8 --prompt cat", "Merge them first");
        Directory.Move(run["base"], run["moved"]);
        run.Refuse("eval --model lora --data rows.jsonl", "base_model_name_or_path");
    }

    [Theory]
    [InlineData("")]
    [InlineData("--lora-rank 2")]
    public void Comparisons_AreLearned_AndResumedToTheSameBits(string more)
    {
        using var run = new SmallRun();
        run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 3 --out base");
        run.Folder.Write(
            "pairs.jsonl",
            string.Concat(
                Enumerable.Range(0, 20)
                .Select(i => $"{{\"prompt\": \"{i}?\", \"chosen\": \"yes\", \"rejected\": \"no {i}\"}}\n")));
        string common = "finetune --method dpo --model base --data pairs.jsonl --batch-size 3 --steps 10 --lr 0.003 "
            + $"--threads 1 --sample-every 5 {more}";
        var whole = ResumeToTheSameBits(run, common, stopAfter: 4);
        Assert.Contains("18 comparisons, 2 for validation", whole.Error, StringComparison.Ordinal);
        Assert.Contains("chosen ahead 100.0%", whole.Error, StringComparison.Ordinal);
        string[] lines = File.ReadAllLines(run["whole/metrics.jsonl"]);
        Assert.Contains("\"train_loss\":0.69314", lines[0], StringComparison.Ordinal);
        Assert.Contains("\"val_reward_accuracy\":1", lines[^1], StringComparison.Ordinal);
    }

    /// <summary>A model that says a or b to every question is rewarded for a.</summary>
    [Theory]
    [InlineData("--lr 0.0003")]
    [InlineData("--lr 0.0005 --kl 0.05")]
    [InlineData("--lr 0.001 --kl 0.05 --lora-rank 8")]
    public void Rewards_AreLearnedFrom_AndResumedToTheSameBits(string more)
    {
        using var run = new SmallRun();
        run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 3 --out base");
        run.Folder.Write(
            "ab.jsonl", string.Concat(
                Enumerable.Range(0, 60)
                .Select(i => $"{{\"question\": \"{i % 10}?\", \"answer\": \"{(i % 3 == 0 ? 'a' : 'b')}\"}}\n")));
        run.Folder.Write(
            "a.jsonl", string.Concat(
                Enumerable.Range(0, 20).Select(i => $"{{\"question\": \"{i % 10}?\", \"answer\": \"a\"}}\n")));
        run.Succeed("finetune --model base --data ab.jsonl --batch-size 8 --steps 60 --lr 0.01 --threads 1 "
            + "--sample-every 0 --out chat");
        string common = "finetune --method grpo --model chat --data a.jsonl --batch-size 8 --group 8 --max-tokens 8 "
            + $"--steps 40 --schedule constant --threads 1 --sample-every 20 {more}";
        var whole = ResumeToTheSameBits(run, common, stopAfter: 13);
        Assert.Contains(
            "18 prompts, 2 for validation; 8 answers each of at most 8 tokens", whole.Error, StringComparison.Ordinal);
        Assert.Contains("highest validation reward ", whole.Text, StringComparison.Ordinal);

        // Adapters of this size learn it too, but not in so few steps.
        int before = Exact("chat"), after = Exact("whole/best");
        Assert.True(
            more.Contains("lora", StringComparison.Ordinal)
            || (after >= 18 && after > before), $"{before} of 20 right before, {after} after");
        string[] lines = File.ReadAllLines(run["whole/metrics.jsonl"]);
        Assert.Contains("\"reward\":", lines[0], StringComparison.Ordinal);
        Assert.Contains("\"val_reward\":", lines[^1], StringComparison.Ordinal);

        int Exact(string model)
        {
            string[] words = run.Succeed($"eval --model {model} --data a.jsonl --exact-match").Text.Split(' ');
            return int.Parse(
                words[Array.IndexOf(words, "match") + 1], System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    [Theory]
    [InlineData("--method grpo --group 1", "--group 1")]
    [InlineData("--method grpo --max-tokens 0", "--max-tokens 0")]
    [InlineData("--method grpo --temperature 0", "--temperature 0")]
    [InlineData("--method grpo --kl -1", "--kl -1")]
    [InlineData("--method grpo --reward regex", "--reward-pattern")]
    [InlineData("--method grpo --reward-command x", "--reward command")]
    [InlineData("--method grpo --reward regex --reward-pattern (", "no regular expression")]
    [InlineData("--method grpo --max-tokens 64", "No prompt leaves room")]
    [InlineData("--group 4", "expected --method grpo")]
    public void Rewards_WithWrongOptions_AreRefused(string words, string part)
    {
        using var run = new SmallRun();
        run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 1 --out base");
        run.Refuse($"finetune --model base --data rows.jsonl --steps 2 --out run {words}", part);
    }

    [Theory]
    [InlineData("--method dpo", "expected --data FILE")]
    [InlineData("--method dpo --data rows.jsonl", "rows.jsonl, line 1")]
    [InlineData("--method dpo --data pairs.jsonl --packing", "--packing")]
    [InlineData("--method dpo --data pairs.jsonl --dpo-beta 0", "--dpo-beta 0")]
    [InlineData("--method dpo --data pairs.jsonl --label-smoothing 0.5", "--label-smoothing 0.5")]
    [InlineData("--method dpo --data pairs.jsonl --dpo-loss ipo --label-smoothing 0.1", "ipo has none")]
    [InlineData("--data rows.jsonl --dpo-beta 0.2", "expected --method dpo")]
    public void Comparisons_WithWrongOptions_AreRefused(string words, string part)
    {
        using var run = new SmallRun();
        run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 1 --out base");
        run.Folder.Write("pairs.jsonl", "{\"prompt\": \"a?\", \"chosen\": \"yes\", \"rejected\": "
            + "\"no\"}\n{\"prompt\": \"b?\", \"chosen\": \"yes\", \"rejected\": \"no\"}\n");
        run.Refuse($"finetune --model base --steps 2 --out run {words}", part);
    }

    [Fact]
    public void ShowMask_MarksWhatIsLearned()
    {
        using var run = new SmallRun();
        run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 1 --out base");
        run.Folder.Write("one.jsonl", "{\"question\": \"Hi?\", \"answer\": \"Ho.\"}\n{\"question\": \"Hu?\", "
            + "\"answer\": \"Ha.\"}\n");
        string text = run.Succeed("finetune --model base --data one.jsonl --show-mask 1").Text;
        Assert.Contains(
            "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n⟦Ho.<|im_end|>⟧", text, StringComparison.Ordinal);
        Assert.Contains("example 1 of 1: 4 of ", text, StringComparison.Ordinal);
        run.Refuse("finetune --model base --data one.jsonl --show-mask -1", "--show-mask -1");
    }

    // A finetuning run as a whole, and one that pauses and goes on: what the first printed.
    private static CommandResult ResumeToTheSameBits(SmallRun run, string common, int stopAfter)
    {
        var whole = run.Succeed($"{common} --out whole");
        run.Succeed($"{common} --out halves --stop-after {stopAfter}");
        run.Succeed("finetune --out halves --resume");
        FolderContent.SameCheckpoint(run.Checkpoint("whole")!, run.Checkpoint("halves")!);
        Assert.Equal(run.Metrics("whole"), run.Metrics("halves"));
        return whole;
    }

    private static double Loss(SmallRun run, string name, Index line)
    {
        using var json = System.Text.Json.JsonDocument.Parse(File.ReadAllLines(run[$"{name}/metrics.jsonl"])[line]);
        return json.RootElement.GetProperty("train_loss").GetDouble();
    }
}
