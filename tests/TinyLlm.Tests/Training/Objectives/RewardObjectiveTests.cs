using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Tests.Support;
using TinyLlm.Training.Data;
using TinyLlm.Training.Objectives;
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
            var ended = Enumerable.Range(group, Group).Select(i => rollouts[i]).Where(r => r.Figures.Truncated == 0).ToList();
            Assert.Equal(0, ended.Sum(r => r.Advantage), 1e-9);
            Assert.True(ended.Count < 2 || ended[0].Figures.Flat == 1 || Math.Abs(ended.Average(r => r.Advantage * r.Advantage) - 1) < 1e-9);
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
        UserError.Expect(() => new Rollouts(model, tokenizer, [new Conversation([new ChatMessage("user", new string('x', 60)), new ChatMessage(ChatTemplate.Assistant, "a")])], new ExactReward(),
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

    public void Dispose() => backend.Dispose();

    private static string[] Copy(Rollouts rollouts) => [.. Enumerable.Range(0, Rows).Select(i => $"{string.Join(' ', rollouts[i].Ids)} {rollouts[i].Advantage}")];

    private Rollouts Rollouts(Gpt model, IReward reward, Gpt? reference)
    {
        Conversation[] conversations = [.. Enumerable.Range(0, 5).Select(i => new Conversation([new ChatMessage("user", $"{i}?"), new ChatMessage(ChatTemplate.Assistant, "a")]))];
        return new Rollouts(model, tokenizer, conversations, reward, new RolloutSettings(Group, MaxTokens, 1, Rows, 3), reference, CancellationToken.None);
    }

    private Gpt NewModel(ulong seed)
    {
        var model = new Gpt(GptConfig.Create(Architecture.Qwen3, 2, 2, 32, Context, tokenizer.VocabularySize), backend);
        model.Initialize(seed);
        return model;
    }

    // By the length of the answer: answers of a group differ.
    private sealed class Halves : IReward
    {
        public double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop) => [.. attempts.Select(a => a.Completion.Length / 2.0)];
    }
}
