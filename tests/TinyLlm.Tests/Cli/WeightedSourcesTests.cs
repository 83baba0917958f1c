using TinyLlm.Tests.Support;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary><c>tinyllm pretrain</c> on sources with weights: FILE=0.7.</summary>
public class WeightedSourcesTests
{
    private const string Common = $"pretrain {SmallRun.Sizes} --context 16 --batch-size 4 --eval-every 0 "
        + "--sample-every 0 --steps 6";

    [Fact]
    public void Weights_DecideWhatIsLearnt()
    {
        using var run = new SmallRun();
        run.Folder.Write("other.txt", SmallRun.Text(4000, seed: 4).ToUpperInvariant());
        var models = new List<byte[]>();
        foreach (var (name, weights) in new[] { ("none", ("", "")), ("more", ("=0.7", "=0.3")),
            ("less", ("=0.3", "=0.7")), ("again", ("=0.7", "=0.3")) })
        {
            var result =
                run.Succeed($"{Common} --data text.txt{weights.Item1} --data other.txt{weights.Item2} --out {name}");
            Assert.Contains(
                $"text.txt{weights.Item1}, other.txt{weights.Item2}: ", result.Error, StringComparison.Ordinal);
            models.Add(File.ReadAllBytes(run[$"{name}/model.safetensors"]));
        }

        Assert.Equal(models[1], models[3]);
        for (int i = 0; i < 3; i++)
        {
            for (int other = 0; other < i; other++)
                Assert.NotEqual(models[i], models[other]);
        }
    }

    [Fact]
    public void Weights_AreKeptWithTheRun()
    {
        using var run = new SmallRun();
        run.Folder.Write("other.txt", SmallRun.Text(4000, seed: 4));
        run.Succeed($"{Common} --data text.txt=0.7 --data other.txt=0.3 --out whole");
        run.Succeed($"{Common} --data text.txt=0.7 --data other.txt=0.3 --out halves --stop-after 3");
        run.Refuse("pretrain --out halves --resume --data text.txt=0.6 --data other.txt=0.4", "--data", "text.txt=0.7");
        run.Succeed("pretrain --out halves --resume");
        Assert.Equal(
            File.ReadAllBytes(run["whole/model.safetensors"]), File.ReadAllBytes(run["halves/model.safetensors"]));
    }

    [Theory]
    [InlineData("--data text.txt=0.7 --data text.txt", "no weight", "weights on all sources or on none")]
    [InlineData("--data text.txt=0", "\"0\" is no weight", "positive number")]
    [InlineData("--data text.txt=much", "\"much\" is no weight", "positive number")]
    [InlineData("--data text.txt=0,5", "\"0,5\" is no weight", "positive number", "text.txt=0.7")]
    [InlineData("--data text.txt=NaN", "\"NaN\" is no weight", "positive number")]
    [InlineData("--data text.txt=0x1", "\"0x1\" is no weight", "positive number")]
    [InlineData("--data missing.txt=0.7", "missing.txt", "no such file")]
    public void Weights_ThatAreNone_AreRefused(string data, params string[] parts)
    {
        using var run = new SmallRun();
        run.Refuse($"{Common} {data} --out run", parts);
    }

    [Fact]
    public void Weight_OfAnEvaluation_IsRefused()
    {
        using var run = new SmallRun();
        run.Succeed($"{Common} --data text.txt --out base");
        run.Refuse("eval --model base --data text.txt=0.7 --threads 1", "text.txt=0.7", "an evaluation has no weights");
    }
}
