using TinyLlm.Cli;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Rewards;
using Xunit;

namespace TinyLlm.Tests.Cli;

/// <summary>A run on the model's own answers that learns nothing says so.</summary>
public sealed class RewardWatchTests
{
    private readonly RewardWatch watch =
        new(new RolloutSettings(Group: 4, MaxTokens: 24, Temperature: 1, Rows: 16, Seed: 1));

    [Fact]
    public void AllCut_IsRefused_WhateverWasLearnedBefore()
    {
        foreach (bool before in new[] { false, true })
        {
            UserError.Expect(
                () => watch.Judge(new RewardFigures(16, 0, 16, 16), before), "all 16 answers",
                "longer than --max-tokens 24", "Raise --max-tokens");
        }
    }

    [Fact]
    public void AllEqual_IsRefused_WhereManyWereAsked()
    {
        UserError.Expect(
            () => watch.Judge(new RewardFigures(400, 0, 0, 400), learnedBefore: false), "of the 400 answers",
            "to 100 prompts all earned the same", "mean reward 0.0000", "--reward");
        UserError.Expect(
            () => watch.Judge(new RewardFigures(400, 120, 100, 400), learnedBefore: false),
            "100 were longer than --max-tokens 24", "the other 300", "mean reward 0.4000");
        Assert.Contains(
            "Nothing was learned", watch.Judge(new RewardFigures(8, 0, 0, 8), learnedBefore: false),
            StringComparison.Ordinal);
        Assert.Contains(
            "Nothing was learned", watch.Judge(new RewardFigures(400, 0, 0, 400), learnedBefore: true),
            StringComparison.Ordinal);
    }

    [Fact]
    public void WhereSomethingWasLearned_NothingIsSaid()
    {
        Assert.Null(watch.Judge(new RewardFigures(16, 4, 2, 12), learnedBefore: false));
        Assert.Null(watch.Judge(default, learnedBefore: false));
    }

    [Fact]
    public void TheWarning_ComesOnce_AfterTwoStepsInARow()
    {
        RewardFigures cut = new(16, 0, 16, 16), some = new(16, 1, 15, 12);
        Assert.Null(watch.Warning(cut));
        Assert.Null(watch.Warning(some));
        Assert.Null(watch.Warning(cut));
        Assert.Contains("longer than --max-tokens 24", watch.Warning(cut), StringComparison.Ordinal);
        Assert.Null(watch.Warning(cut));
    }
}
