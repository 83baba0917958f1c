using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tests.Support;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using TinyLlm.Training.Rewards;
using Xunit;

namespace TinyLlm.Tests.Training.Objectives;

/// <summary>A model's own answers: their advantages, and the gradient of their loss.</summary>
public sealed class RewardObjectiveTests : IDisposable
{
    private const int Context = 64, Group = 16, Rows = 32, MaxTokens = 36;

    private readonly Backend backend = Backend.Create("cpu", 1);
    private readonly ByteTokenizer tokenizer = new();

    [Fact]
    public void Advantages_AreThoseOfTheGroup_AndWhatWasCutIsLeftOut()
    {
        using var model = NewModel(2);
        using var rollouts = Rollouts(model, new Halves(), null);
        rollouts.Prepare(0);
        var first = Copy(rollouts);
        for (int group = 0; group < Rows; group += Group)
        {
            var ended = Enumerable.Range(group, Group).Select(i => rollouts[i]).Where(r => r.Figures.Truncated == 0)
                .ToList();
            Assert.Equal(0, ended.Sum(r => r.Advantage), 1e-9);
            Assert.True(
                ended.Count < 2 || ended[0].Figures.Flat == 1
                || Math.Abs(ended.Average(r => r.Advantage * r.Advantage) - 1) < 1e-9);
        }

        for (int i = 0; i < Rows; i++)
        {
            int[] tokens = new int[rollouts.Length], targets = new int[rollouts.Length];
            rollouts.Read(0, i, tokens, targets);
            var row = rollouts[i];
            Assert.Equal(row.IsTrained ? row.Ids.Length - row.Prompt : 0, targets.Count(t => t >= 0));
            Assert.Equal(row.Ids[..^1], tokens[..(row.Ids.Length - 1)]);
            Assert.True(row.Figures.Truncated == 0 || !row.IsTrained);
        }

        // The same step again is the same, another one is not, and so it is anew.
        rollouts.Prepare(0);
        Assert.Equal(first, Copy(rollouts));
        rollouts.Prepare(1);
        Assert.NotEqual(first, Copy(rollouts));
        using var again = Rollouts(model, new Halves(), null);
        again.Prepare(0);
        Assert.Equal(first, Copy(again));

        // All answers earn the same: nothing is learned.
        using var flat = Rollouts(model, new ExactReward(), null);
        flat.Prepare(0);
        Assert.Equal(0, flat.TrainedTokens);
        UserError.Expect(
            () => new Rollouts(
                model, tokenizer,
                [new Conversation(
                [new ChatMessage("user", new string('x', 60)), new ChatMessage(ChatTemplate.Assistant, "a")])],
                new ExactReward(),
                new RolloutSettings(Group, 8, 1, Rows, 1), null, default), "No prompt leaves room for --max-tokens 8");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.7)]
    public void TheGradient_IsThatOfTheLoss(double kl)
    {
        using var model = NewModel(2);
        using var rollouts = Rollouts(model, new Halves(), kl > 0 ? NewModel(9) : null);
        rollouts.Prepare(0);
        Assert.True(rollouts.TrainedTokens > 0);
        var objective = new RewardObjective(rollouts, kl);
        int t = rollouts.Length;
        using var arena = new Arena(backend, "test");
        model.PlanGradients(arena);
        var activations = new Activations(arena, model.Config, Rows, t, training: true);
        arena.Allocate();
        var batch = new Batch(Rows, t);
        (long, long)[] places = [.. Enumerable.Range(0, Rows).Select(i => (0L, (long)i))];
        batch.Fill(rollouts, places);
        batch.SendTo(activations, new int[Rows * t]);
        var weights = new float[Rows * t];

        // The surrogate, whose slope at these weights is the policy's: sum of A log p, and the distance.
        double Loss()
        {
            model.Forward(activations);
            model.LogProbabilities(activations);
            float[] logs = ModelRun.Read(activations.LogProbabilities);
            objective.Weigh(batch, places, logs, Rows, weights);
            double loss = 0;
            for (int n = 0; n < logs.Length; n++)
            {
                if (batch.Targets[n] < 0)
                    continue;
                var row = rollouts[n / t];
                double distance = kl > 0 ? row.Reference![n % t] - (double)logs[n] : 0;
                loss += (kl * (Math.Exp(distance) - distance - 1) - row.Advantage * logs[n]) / rollouts.TrainedTokens;
            }

            return loss;
        }

        Loss();
        backend.Write(activations.TokenWeights, weights);
        backend.Fill(model.AllGradients, 0);
        model.Backward(activations);
        DirectionalSlope.Check(model.Parameters.All.Where(p => p.Group == ParameterGroup.Matrix), Loss, step: 5e-4f);
    }

    /// <summary>
    /// Answers that came to an end, of groups that did not all earn the same, are in the mean, each token alike;
    /// answers that were cut, and groups in which all earned the same, are in it neither with their advantage nor with
    /// their KL term.
    /// </summary>
    [Fact]
    public void TheMean_IsOverTheTokensOfTrainedAnswers()
    {
        using var model = NewModel(2);
        using var rollouts = Rollouts(model, new Halves(), NewModel(9));
        rollouts.Prepare(0);
        var trained = Enumerable.Range(0, Rows).Where(i => rollouts[i].IsTrained).ToList();
        Assert.All(Enumerable.Range(0, Rows),
            i => Assert.Equal(rollouts[i].Figures is { Truncated: 0, Flat: 0 }, rollouts[i].IsTrained));
        Assert.Equal(trained.Sum(i => (long)rollouts[i].Ids.Length - rollouts[i].Prompt), rollouts.TrainedTokens);

        const double Kl = 0.25;
        int t = rollouts.Length;
        var batch = new Batch(Rows, t);
        (long, long)[] places = [.. Enumerable.Range(0, Rows).Select(i => (0L, (long)i))];
        batch.Fill(rollouts, places);
        float[] logs = [.. Enumerable.Range(0, Rows * t).Select(n => -0.5f - n % 3)], weights = new float[Rows * t];
        var figures = new RewardObjective(rollouts, Kl).Weigh(batch, places, logs, Rows, weights);

        // By hand: the loss of a token is kl (e^d - d - 1) - A with d = r - p, and its weight A - kl (1 - e^d), each
        // over the trained tokens.
        double loss = 0, tokens = rollouts.TrainedTokens;
        foreach (int i in trained)
        {
            var answer = rollouts[i];
            for (int place = answer.Prompt - 1; place < answer.Ids.Length - 1; place++)
            {
                double d = answer.Reference![place] - (double)logs[i * t + place];
                loss += (Kl * (Math.Exp(d) - d - 1) - answer.Advantage) / tokens;
                Assert.Equal((answer.Advantage - Kl * (1 - Math.Exp(d))) / tokens, weights[i * t + place], 1e-6);
            }
        }

        Assert.Equal(loss, figures.Loss, 1e-9);
        Assert.Equal(trained.Sum(i => rollouts[i].Ids.Length - rollouts[i].Prompt), weights.Count(w => w != 0));
    }

    /// <summary>
    /// Advantages of three rewards by hand, of which one is the mean: its answer is trained all the same.
    /// </summary>
    [Fact]
    public void AnAnswerThatEarnedTheMean_HasNoAdvantage_AndIsTrained()
    {
        using var model = NewModel(2);
        using var rollouts = Rollouts(model, new InTurn([1, 2, 3]), null);
        rollouts.Prepare(0);
        var ended = Enumerable.Range(0, Group).Select(i => rollouts[i]).Where(r => r.Figures.Truncated == 0)
            .Take(3 * (Group / 3)).ToList();
        Assert.SkipUnless(ended.Count >= 3, "Too few answers came to an end.");
        Assert.All(ended, answer => Assert.True(answer.IsTrained));
        Assert.True(ended[0].Advantage < ended[1].Advantage && ended[1].Advantage < ended[2].Advantage);
    }

    /// <summary>
    /// Published models have more rows than their tokenizer has tokens: such a row ends an answer and is no text.
    /// </summary>
    [Fact]
    public void RowsWithoutAToken_EndAnswers()
    {
        using var model =
            new Gpt(GptConfig.Create(Architecture.Qwen3, 1, 2, 16, Context, tokenizer.VocabularySize + 4000), backend);
        model.Initialize(2);
        using var rollouts = Rollouts(model, new Halves(), null);
        rollouts.Prepare(0);
        var rows = Enumerable.Range(0, Rows).Select(i => rollouts[i]).ToList();
        Assert.Contains(rows, row => row.Ids[^1] >= tokenizer.VocabularySize && row.Figures.Truncated == 0);
        Assert.Equal(4, rollouts.Measure(4, TestContext.Current.CancellationToken).Samples);
    }

    public void Dispose() => backend.Dispose();

    private static string[] Copy(Rollouts rollouts) =>
        [.. Enumerable.Range(0, Rows).Select(i => $"{string.Join(' ', rollouts[i].Ids)} {rollouts[i].Advantage}")];

    private Rollouts Rollouts(Gpt model, IReward reward, Gpt? reference)
    {
        Conversation[] conversations = [.. Enumerable.Range(0, 5)
            .Select(i =>
                new Conversation([new ChatMessage("user", $"{i}?"), new ChatMessage(ChatTemplate.Assistant, "a")]))];
        return new Rollouts(
            model, tokenizer, conversations, reward, new RolloutSettings(Group, MaxTokens, 1, Rows, 3), reference,
            CancellationToken.None);
    }

    private Gpt NewModel(ulong seed)
    {
        var model = new Gpt(GptConfig.Create(Architecture.Qwen3, 2, 2, 32, Context, tokenizer.VocabularySize), backend);
        model.Initialize(seed);
        return model;
    }

    private sealed class InTurn(double[] rewards) : IReward
    {
        public double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop) =>
            [.. attempts.Select((_, i) => rewards[i % rewards.Length])];
    }

    // By the length of the answer: answers of a group differ.
    private sealed class Halves : IReward
    {
        public double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop) =>
            [.. attempts.Select(a => a.Completion.Length / 2.0)];
    }
}
