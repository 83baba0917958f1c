using TinyLlm.Model;

namespace TinyLlm.Training.Rewards;

/// <summary>
/// Measures a model by the reward of its greedy answers to held-out prompts; the loss that the loop compares is its
/// negative.
/// </summary>
/// <param name="held">The prompts.</param>
/// <param name="count">How many of them.</param>
public sealed class RewardEvaluator(Rollouts held, int count) : IEvaluator
{
    /// <inheritdoc/>
    public Measure Measure => Measure.ValidationReward;

    /// <inheritdoc/>
    public Evaluation? Evaluate(Gpt model, Activations activations, CancellationToken stop = default)
    {
        try
        {
            var figures = held.Measure(count, stop);
            return new Evaluation(-figures.Mean, double.NaN, figures.Samples) { Rewards = figures };
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return null;
        }
    }
}
