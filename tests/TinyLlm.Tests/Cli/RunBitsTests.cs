using System.Security.Cryptography;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// What runs compute, to the last bit, over the versions of this program: the hashes of weights and optimiser state of
/// small runs. Sums depend on the width of a processor's vectors, so the runs go without them.
/// </summary>
/// <remarks>
/// A change that is meant to compute something else changes the hashes here, in a commit of its own that says why.
/// </remarks>
public sealed class RunBitsTests(RunBitsTests.Fixture fixture) : IClassFixture<RunBitsTests.Fixture>
{
    private const string Loop = "--batch-size 4 --eval-every 0 --sample-every 0 --checkpoint-every 0 --threads 1 "
        + "--device cpu";
    private const string Sizes = "--data text.txt --layers 2 --heads 2 --width 32 --context 32 --tokenizer byte "
        + "--steps 12 " + Loop;

    [Theory]
    [InlineData(
        "gpt2", "pretrain --arch gpt2 --dropout 0.1 --recipe nanogpt --warmup 2 " + Sizes, "43697af434cc0c41",
        "46384f5b6ea01771")]
    [InlineData(
        "llama", "pretrain --arch llama --kv-heads 1 --optimizer adamw --schedule wsd " + Sizes, "711481f26da8c10d",
        "ecdce7cc4b30dba8")]
    [InlineData(
        "qwen3", "pretrain --arch qwen3 --accumulate 2 --seed 7 " + Sizes, "7668e940a053073c", "705c02ce503562ad")]
    [InlineData(
        "supervised", "finetune --model base --data rows.jsonl --packing --steps 8 " + Loop, "41daadc408ea3027",
        "d95b15f4b46727d5")]
    [InlineData(
        "adapters", "finetune --model base --data rows.jsonl --lora-rank 2 --lora-dropout 0.1 --steps 8 " + Loop,
        "c7e4815bdf8fe050", "4daef277e8d36fec")]
    [InlineData(
        "comparisons", "finetune --model base --data pairs.jsonl --method dpo --steps 6 " + Loop, "52c5f15a97b9f631",
        "bba66bb0d4cc89eb")]
    [InlineData("rewards", "finetune --model base --data rows.jsonl --method grpo --reward regex --reward-pattern "
        + "[a-m] --group 4 --max-tokens 12 --steps 4 --kl 0.1 " + Loop, "14dfac81eae9f6aa", "2cb47c21af52c9cc")]
    public void ARun_KeepsItsBits(string name, string words, string weights, string optimizer)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The C library's functions differ from system to system.");
        fixture.Run(name, words);
        string checkpoint = fixture.Small.Checkpoint(name)!;
        string model = words.Contains("lora", StringComparison.Ordinal) ? "adapter_model.safetensors"
            : "model.safetensors";
        Assert.Equal(
            (weights, optimizer),
            (HashOf(Path.Combine(checkpoint, model)), HashOf(Path.Combine(checkpoint, "optimizer.safetensors"))));
    }

    /// <summary>
    /// A recipe's warm-up scales with its steps; a run that learned nothing of rewards is refused when its files are
    /// written, and nothing is called lowest that is highest.
    /// </summary>
    [Fact]
    public void RunsOfOtherLengths_AndOfRewards_SayWhatTheyAre()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The base is made on Linux only.");
        var small = fixture.Small;
        small.Succeed("pretrain --recipe nanogpt --data text.txt --layers 1 --heads 2 --width 32 --context 32 "
            + "--tokenizer byte --steps 12 --threads 1 --sample-every 0 --out short");
        string grpo = "finetune --model base --data rows.jsonl --method grpo --steps 2 --batch-size 2 --group 2 "
            + "--max-tokens 1 --threads 1 --sample-every 0";
        var cut = small.CommandLine.Run($"{grpo} --reward regex --reward-pattern x --out cut");
        Assert.Equal(2, cut.ExitCode);
        Assert.Contains("longer than --max-tokens 1", cut.ErrorLines[^1], StringComparison.Ordinal);
        Assert.True(File.Exists(small["cut/model.safetensors"]));
        Assert.DoesNotContain("lowest", cut.Text + small.Succeed("info --model cut").Text, StringComparison.Ordinal);
    }

    private static string HashOf(string path) =>
        Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))[..16];

    public sealed class Fixture : IDisposable
    {
        public Fixture()
        {
            Small = new SmallRun();
            Small.Folder.Write(
                "pairs.jsonl",
                string.Concat(
                    Enumerable.Range(0, 20)
                    .Select(i => $"{{\"prompt\": \"{i}?\", \"chosen\": \"yes {i}\", \"rejected\": \"no\"}}\n")));
            if (OperatingSystem.IsLinux())
            {
                Run("base", "pretrain --arch qwen3 --data text.txt --layers 1 --heads 2 --width 32 --context 64 "
                    + "--tokenizer byte --steps 4 " + Loop);
            }
        }

        public SmallRun Small { get; }

        /// <summary>Runs a command without vector instructions.</summary>
        public void Run(string name, string words)
        {
            var result = Small.CommandLine.RunInShell("DOTNET_EnableHWIntrinsic=0 exec \"$TINYLLM\" "
                + $"{words.Replace("[a-m]", "'[a-m]'", StringComparison.Ordinal)} --out {name}");
            Assert.True(result.ExitCode == 0, result.Error);
        }

        public void Dispose() => Small.Dispose();
    }
}
