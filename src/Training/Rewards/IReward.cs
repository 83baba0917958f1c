namespace TinyLlm.Training.Rewards;

/// <summary>An answer that a model wrote.</summary>
/// <param name="Prompt">The last message before it.</param>
/// <param name="Answer">What the row has as the answer.</param>
/// <param name="Completion">What the model wrote.</param>
public sealed record Attempt(string Prompt, string Answer, string Completion);

/// <summary>Scores answers: the higher the better.</summary>
public interface IReward
{
    /// <summary>A finite number for each attempt.</summary>
    /// <exception cref="TinyLlmException">They cannot be scored.</exception>
    double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop);
}
