using TinyLlm.Data;
using TinyLlm.Model;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using TinyLlm.Training.Rewards;

namespace TinyLlm.Cli;

/// <summary>
/// Learning from rewards: the model answers prompts several times, and what earned more than the rest of its group
/// becomes likelier.
/// </summary>
internal sealed class GrpoStage : IDisposable
{
    /// <summary>
    /// What the loop takes where no option says otherwise: many steps, because each learns only from prompts whose
    /// answers differ in what they earn.
    /// </summary>
    public static readonly LoopDefaults Defaults =
        new(Steps: 600, BatchSize: 8, LearningRate: 2e-4, WeightDecay: 0, Optimizer: LoopOptions.AdamW);

    // Greedy answers of an evaluation: enough for a figure within some points.
    private const int MeasuredPrompts = 256;

    private readonly Rollouts train, held;

    /// <summary>Reads the prompts and says what the loop learns from.</summary>
    /// <param name="model">The model, with the weights that the run begins or goes on with.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="openReference">Opens the model that the run was begun with, for the distance to it.</param>
    /// <param name="sources">Conversations.</param>
    /// <param name="validation">Others for validation; none for the last tenth of each.</param>
    /// <param name="rewards">How answers are sampled and scored.</param>
    /// <param name="settings">The loop's.</param>
    /// <param name="stop">Stops a reward that is being worked out.</param>
    /// <exception cref="TinyLlmException">The rows cannot be read, or no prompt fits.</exception>
    public GrpoStage(Gpt model, Tokenizer tokenizer, Func<Gpt> openReference, string[] sources, string[] validation,
        RewardSettings rewards, TrainerSettings settings, CancellationToken stop)
    {
        var rows = ChatData.Load(sources, validation);
        var rollouts = new RolloutSettings(
            rewards.Group, rewards.MaxTokens, rewards.Temperature, settings.BatchSize * settings.Accumulate,
            settings.Seed);
        train = new Rollouts(
            model, tokenizer, rows.Train, rewards.Reward, rollouts, rewards.Kl > 0 ? openReference() : null, stop);
        held = new Rollouts(model, tokenizer, rows.Validation, rewards.Reward, rollouts, null, stop);
        int measured = Math.Min(MeasuredPrompts, held.Prompts);
        List<(string, string)> headings = [("data", $"{string.Join(", ", sources)}: {train.Prompts:N0} prompts, "
            + $"{measured:N0} for validation; {rewards.Group} answers each of at most {rewards.MaxTokens} tokens")];
        if (train.Skipped + held.Skipped > 0)
        {
            headings.Add(
                ("skipped", $"{train.Skipped:N0} training and {held.Skipped:N0} validation rows without an answer, or "
                + "whose prompt leaves no room for one"));
        }

        headings.AddRange(SftStage.Notes(rows.Report));
        headings.Add(
            ("reward", rewards.Kl > 0 ? $"{rewards.Name}; KL penalty {rewards.Kl} against the reference model"
            : rewards.Name));
        int[] prompt = ChatTemplate.EncodePrompt(tokenizer, rows.Validation[0].FirstPrompt);
        Stage = new Stage(
            "finetune", model, tokenizer, train, held, prompt, "rewarded", headings,
            new RewardEvaluator(held, measured), new RewardObjective(train, rewards.Kl));
    }

    /// <summary>What the loop learns from.</summary>
    public Stage Stage { get; }

    public void Dispose()
    {
        train.Dispose();
        held.Dispose();
    }
}
