using TinyLlm.Training.Preferences;
using TinyLlm.Training.Rewards;

namespace TinyLlm.Training;

/// <summary>What a step shows besides its gradients.</summary>
/// <param name="Loss">The step's mean loss, or a micro-batch's share of it.</param>
/// <param name="Preferences">Of comparisons.</param>
/// <param name="Rewards">Of rewarded answers.</param>
public readonly record struct ObjectiveFigures(
    double Loss, PreferenceFigures? Preferences = null, RewardFigures? Rewards = null)
{
    /// <summary>Of two micro-batches of a step together.</summary>
    public static ObjectiveFigures operator +(ObjectiveFigures a, ObjectiveFigures b) => new(
        a.Loss + b.Loss,
        a.Preferences is { } p ? p + b.Preferences.GetValueOrDefault() : b.Preferences,
        a.Rewards is { } r ? r + b.Rewards.GetValueOrDefault() : b.Rewards);
}

/// <summary>A loss whose token weights are known only after the forward pass.</summary>
public interface IObjective
{
    /// <summary>Token weights of a loss -sum w log p that has the gradient of the step's mean loss.</summary>
    /// <param name="batch">The rows.</param>
    /// <param name="places">Their examples.</param>
    /// <param name="logProbabilities">(B T): of each target.</param>
    /// <param name="rowsOfStep">Rows of the whole step.</param>
    /// <param name="tokenWeights">(B T): overwritten.</param>
    ObjectiveFigures Weigh(
        Batch batch,
        ReadOnlySpan<(long Epoch, long Index)> places, ReadOnlySpan<float> logProbabilities, long rowsOfStep,
        Span<float> tokenWeights);
}
