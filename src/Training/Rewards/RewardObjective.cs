
namespace TinyLlm.Training.Rewards;

/// <summary>What a model's own answers earned.</summary>
/// <param name="Samples">How many were written.</param>
/// <param name="Reward">Sum of the rewards of those that came to an end.</param>
/// <param name="Truncated">How many did not: they are not scored, and nothing is learned from them.</param>
/// <param name="Flat">How many are of prompts whose answers all earned the same, or of which none came to an end: they
/// teach nothing.</param>
public readonly record struct RewardFigures(long Samples, double Reward, long Truncated, long Flat)
{
    /// <summary>How many answers came to an end.</summary>
    public long Ended => Samples - Truncated;

    /// <summary>Mean reward of the answers that came to an end; NaN where none did.</summary>
    public double Mean => Ended > 0 ? Reward / Ended : double.NaN;

    /// <summary>Of two sets together.</summary>
    public static RewardFigures operator +(RewardFigures a, RewardFigures b) =>
        new(a.Samples + b.Samples, a.Reward + b.Reward, a.Truncated + b.Truncated, a.Flat + b.Flat);
}

/// <summary>
/// Group-relative policy optimisation (Z. Shao et al., "DeepSeekMath", 2024) with one update of each set of answers, so
/// that no ratio to an older policy is needed. Let A be an answer's advantage within its group, and p and r the
/// log-probabilities that model and reference give a token of it. The loss is the mean of kl (e^(r - p) - (r - p) - 1)
/// - A p over the tokens of all trained answers of the step (<see cref="Rollout.IsTrained"/>), each token counting the
///   same (Q. Yu et al., "DAPO", 2025).
/// </summary>
/// <remarks>
/// Answers that were cut, and those of prompts whose answers all earned the same, are no part of the mean, neither with
/// their advantage, which would be 0, nor with their distance: as if the step did not have them. DAPO, too, keeps such
/// prompts out of its batches. The factor of kl is an estimate of the distance to the reference that is never negative
/// (J. Schulman, "Approximating KL Divergence", 2020). What a step reports as its loss has -A in place of -A p: the
/// ratio of the newer to the older policy is 1.
/// </remarks>
/// <param name="rollouts">The answers, with their advantages and, for kl, the reference's log-probabilities.</param>
/// <param name="kl">How much the distance counts.</param>
public sealed class RewardObjective(Rollouts rollouts, double kl) : IObjective
{
    /// <inheritdoc/>
    public ObjectiveFigures Weigh(
        Batch batch,
        ReadOnlySpan<(long Epoch, long Index)> places, ReadOnlySpan<float> logProbabilities, long rowsOfStep,
        Span<float> tokenWeights)
    {
        int t = batch.Targets.Length / batch.B;
        double loss = 0, tokens = Math.Max(rollouts.TrainedTokens, 1);
        RewardFigures figures = default;
        tokenWeights.Clear();
        for (int row = 0; row < batch.B; row++)
        {
            var answer = rollouts[places[row].Index];
            figures += answer.Figures;
            for (int i = 0; i < t; i++)
            {
                int n = row * t + i;
                if (batch.Targets[n] < 0)
                    continue;
                double distance = kl > 0 ? answer.Reference![i] - (double)logProbabilities[n]
                    : 0, ratio = Math.Exp(distance);
                loss += (kl * (ratio - distance - 1) - answer.Advantage) / tokens;
                tokenWeights[n] = (float)((answer.Advantage - kl * (1 - ratio)) / tokens);
            }
        }

        return new ObjectiveFigures(loss, Rewards: figures);
    }
}
