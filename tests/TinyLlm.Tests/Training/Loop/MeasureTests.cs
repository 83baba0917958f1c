using System.Text.Json;
using System.Text.Json.Nodes;
using TinyLlm.Tests.Support;
using TinyLlm.Training;
using Xunit;

namespace TinyLlm.Tests.Training;

/// <summary>What best means: in words, and in a checkpoint's file.</summary>
public sealed class MeasureTests
{
    [Fact]
    public void TheBest_IsDescribedInItsOwnDirection()
    {
        Assert.Equal("lowest validation loss 0.8090", Measure.ValidationLoss.DescribeBest(0.809));
        Assert.Equal("highest validation reward 0.4312", Measure.ValidationReward.DescribeBest(-0.4312));
        Assert.Equal("highest validation reward 0.0000", Measure.ValidationReward.DescribeBest(0));
    }

    [Theory]
    [InlineData("grpo", "validation reward")]
    [InlineData("dpo", "validation loss")]
    [InlineData(null, "validation loss")]
    public void AFileThatDoesNotSay_IsReadByItsMethod(string? method, string name)
    {
        using var folder = new TemporaryFolder();
        var options = method is null ? [] : new Dictionary<string, string> { ["--method"] = method };
        new TrainerFile
        {
            Stage = "finetune",
            State = new TrainerState(),
            Options = options,
            DataHash = "x",
            Measure = Measure.ValidationReward
        }.Save(folder.Path);
        Assert.Equal(Measure.ValidationReward, TrainerFile.Load(folder.Path).Measure);

        string path = folder[TrainerFile.Name];
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.True(json.Remove("measure"));
        File.WriteAllText(path, json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        Assert.Equal(name, TrainerFile.Load(folder.Path).Measure.Name);
    }
}
