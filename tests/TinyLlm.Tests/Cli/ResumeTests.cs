using TinyLlm.Model;
using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>
/// N steps equal N/2 steps, a resume and N/2 more, bit for bit; and the number of threads changes no bit.
/// </summary>
[Trait("Speed", "Slow")]
public class ResumeTests
{
    [Theory]
    [InlineData("gpt2", "adamw")]
    [InlineData("qwen3", "adamw")]
    [InlineData("gpt2", "muon")]
    [InlineData("qwen3", "muon")]
    public void Pretrain_InHalves_GivesTheSameBits(string architecture, string optimizer)
    {
        using var run = new SmallRun();
        string common = $"pretrain --data text.txt {SmallRun.Sizes} --context 16 --batch-size 2 --arch {architecture} "
            + $"--optimizer {optimizer} --dropout 0.1 --accumulate 2 " +
            "--steps 26 --eval-every 9 --sample-every 13 --checkpoint-every 9";

        run.Succeed($"{common} --out whole");
        var paused = run.Succeed($"{common} --out halves --stop-after 13");
        Assert.StartsWith("Paused after step 13 of 26", paused.Text, StringComparison.Ordinal);
        Assert.Equal("step-00000013", Path.GetFileName(run.Checkpoint("halves")));
        var resumed = run.Succeed("pretrain --out halves --resume");

        Assert.Contains("Resuming at step 13 of 26.", resumed.Error, StringComparison.Ordinal);
        CheckSame(run, "whole", "halves", "step-00000026");
        string[] metrics = run.Metrics("halves");
        Assert.Equal(run.Metrics("whole"), metrics);
        Assert.Equal(["1", "9", "10", "18", "20", "26"], metrics.Select(line => line.Split(' ')[1]));
    }

    [Theory]
    [InlineData("adamw", "")]
    [InlineData("muon", "")]
    [InlineData("adamw", "--packing")]
    [InlineData("adamw", "--lora-rank 4 --lora-dropout 0.1")]
    [InlineData("muon", "--lora-rank 4 --lora-targets q_proj down_proj")]
    public void Finetune_InHalves_GivesTheSameBits(string optimizer, string more)
    {
        using var run = new SmallRun();
        run.Succeed($"pretrain --data text.txt {SmallRun.Sizes} --context 64 --batch-size 2 --steps 3 --out base");
        string common = $"finetune --model base --data rows.jsonl --optimizer {optimizer} --batch-size 4 --accumulate "
            + $"2 --dropout 0.1 --threads 1 --steps 12 --sample-every 4 {more}";

        run.Succeed($"{common} --out whole");
        run.Succeed($"{common} --out halves --stop-after 5");
        run.Succeed("finetune --out halves --resume");

        CheckSame(run, "whole", "halves", "step-00000012", more.StartsWith("--lora", StringComparison.Ordinal)
            ? AdapterFolder.WeightsName : WeightsFile.Name);
        Assert.Equal(run.Metrics("whole"), run.Metrics("halves"));
    }

    [Fact]
    public void Threads_ChangeNoBit()
    {
        using var run = new SmallRun();
        string common = "pretrain --data text.txt --preset tiny --layers 1 --width 32 --heads 2 --tokenizer byte "
            + "--context 16 --batch-size 2 --dropout 0.1 --steps 8 --sample-every 0";

        run.Succeed($"{common} --threads 1 --out one");
        run.Succeed($"{common} --threads 3 --out three");

        CheckSame(run, "one", "three", "step-00000008");
        Assert.Equal(run.Metrics("one"), run.Metrics("three"));
    }

    [Fact]
    public void AFinishedRun_IsResumedWithMoreSteps()
    {
        using var run = new SmallRun();
        run.Succeed($"{SmallRun.Pretrain} --steps 4 --out run");
        string before = File.ReadAllText(run["run/metrics.jsonl"]);

        var again = run.Succeed("pretrain --out run --resume");
        Assert.StartsWith("Done: 4 steps", again.Text, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllText(run["run/metrics.jsonl"]));

        run.Succeed("pretrain --out run --resume --steps 6 --threads 2 --eval-every 5");
        Assert.Equal("step-00000006", Path.GetFileName(run.Checkpoint("run")));
        run.Refuse("pretrain --out run --resume --steps 5", "--steps 5", "has done 6 already");
    }

    [Fact]
    public void AResume_RefusesOtherSettings_NamingAllOfThem()
    {
        using var run = new SmallRun();
        run.Succeed($"{SmallRun.Pretrain} --lr 0.003 --steps 4 --stop-after 2 --out run");
        run.Folder.Write("other.txt", SmallRun.Text(3000, seed: 4));

        run.Refuse("pretrain --out run --resume --lr 0.5 --batch-size 7 --arch gpt2 --width 64 --data other.txt "
            + "--dropout 0.5 --seed 9 --tokenizer char",
            "--lr 0.5 (the run has 0.003)", "--batch-size 7 (the run has 2)", "--arch gpt2 (the run has qwen3)",
            "--width 64 (the run has 32)",
            "--data other.txt (the run has text.txt)", "--dropout 0.5 (the run has 0)", "--seed 9 (the run has 1)",
            "--tokenizer char (the run has byte)");
        run.Refuse("finetune --out run --resume", "was begun by pretrain");
        run.Refuse("pretrain --out run --resume --force", "--resume and --force");

        // What is the same may be said again.
        run.Succeed("pretrain --out run --resume --lr 0.003 --batch-size 2");
    }

    [Fact]
    public void AResume_RefusesAnotherOptimizer()
    {
        using var run = new SmallRun();
        run.Succeed($"{SmallRun.Pretrain} --steps 4 --stop-after 2 --out adamw --optimizer adamw");
        run.Succeed($"{SmallRun.Pretrain} --steps 4 --stop-after 2 --out muon --optimizer muon");

        run.Refuse("pretrain --out adamw --resume --optimizer muon", "--optimizer muon (the run has adamw)");
        run.Refuse("pretrain --out muon --resume --optimizer adamw --muon-lr 0.1",
            "--optimizer adamw (the run has muon)", "--muon-lr 0.1 (the run has 0.025)");
        run.Succeed("pretrain --out muon --resume --optimizer muon");

        // Momentum for the matrices, AdamW's two moments for the rest; a state of the other kind is not taken for it.
        string file = Path.Combine(run.Checkpoint("muon")!, "optimizer.safetensors");
        string[] names;
        using (var state = SafetensorsReader.Open(file))
            names = [.. state.Tensors.Select(tensor => tensor.Name)];
        Assert.Contains("momentum.model.layers.0.mlp.down_proj.weight", names);
        Assert.Contains("m.model.embed_tokens.weight", names);
        Assert.Contains("v.model.norm.weight", names);
        Assert.DoesNotContain("m.model.layers.0.mlp.down_proj.weight", names);
        Assert.DoesNotContain("momentum.model.embed_tokens.weight", names);
        File.Copy(Path.Combine(run.Checkpoint("adamw")!, "optimizer.safetensors"), file, overwrite: true);
        var result = run.CommandLine.Run("pretrain --out muon --resume --steps 6");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("the tensor momentum.model.layers.0.", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AResume_RefusesOtherData()
    {
        using var run = new SmallRun();
        run.Succeed($"{SmallRun.Pretrain} --steps 4 --stop-after 2 --out run");
        string text = File.ReadAllText(run["text.txt"]);
        run.Folder.Write("text.txt", text.Replace("cat", "cot", StringComparison.Ordinal));

        run.Refuse("pretrain --out run --resume", "the data is not what the run");
        run.Folder.Write("text.txt", "");
        run.Refuse("pretrain --out run --resume", "text.txt", "empty");

        run.Folder.Write("text.txt", text);
        run.Succeed("pretrain --out run --resume");
    }

    [Fact]
    public void AResume_OfNothing_IsRefused()
    {
        using var run = new SmallRun();
        Directory.CreateDirectory(run["empty"]);

        run.Refuse("pretrain --resume", "--out DIR");
        run.Refuse("pretrain --resume --out nowhere", "nowhere");
        run.Refuse("pretrain --resume --out empty", "no checkpoint");
        run.Refuse("pretrain --resume --out text.txt", "text.txt");
    }

    [Theory]
    [InlineData("trainer.json", "", "not a checkpoint's trainer.json")]
    [InlineData(
        "trainer.json", "{\"stage\": \"pretrain\", \"state\": null, \"options\": {}, \"data_hash\": \"\"}",
        "not a checkpoint's trainer.json")]
    [InlineData("optimizer.safetensors", "", "optimizer.safetensors")]
    [InlineData("model.safetensors", "", "model.safetensors")]
    [InlineData("tokenizer.json", "", "tokenizer.json")]
    public void AResume_OfADamagedCheckpoint_IsRefused(string file, string content, string part)
    {
        using var run = new SmallRun();
        run.Succeed($"{SmallRun.Pretrain} --steps 2 --out run");
        File.WriteAllText(Path.Combine(run.Checkpoint("run")!, file), content);
        var before = FolderContent.Of(run.Folder.Path);

        var result = run.CommandLine.Run("pretrain --out run --resume --steps 4");

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(
            part, Assert.Single(result.ErrorLines, line => line.StartsWith("tinyllm: ", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Equal(before, FolderContent.Of(run.Folder.Path));
    }

    private static void CheckSame(
        SmallRun run, string expected, string actual, string checkpoint, string weights = WeightsFile.Name)
    {
        Assert.Equal(checkpoint, Path.GetFileName(run.Checkpoint(expected)));
        Assert.Equal(checkpoint, Path.GetFileName(run.Checkpoint(actual)));
        FolderContent.SameCheckpoint(run.Checkpoint(expected)!, run.Checkpoint(actual)!);
        FolderContent.SameFile(run[$"{expected}/{weights}"], run[$"{actual}/{weights}"]);
        FolderContent.SameFile(run[$"{expected}/best/{weights}"], run[$"{actual}/best/{weights}"]);
    }
}
