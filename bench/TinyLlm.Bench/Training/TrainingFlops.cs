using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Training;

/// <summary>
/// The arithmetic that a training step cannot do without, the same for every side whatever it computes on top.
/// </summary>
internal static class TrainingFlops
{
    /// <summary>How it is counted, for people.</summary>
    public const string Rule = "6 operations a token for each weight of a product (12 L C^2 + V C), and 6 L C T for "
        + "causal attention";

    /// <summary>
    /// Of one step: forward, and twice as much backward. Causal attention needs half of the (T, T) scores.
    /// </summary>
    public static double PerStep(ModelSize size)
    {
        double c = size.Width, products = 12 * size.Layers * c * c + size.Vocabulary * c;
        return size.Tokens * (6 * products + AttentionPerToken(size));
    }

    /// <summary>Attention's share of <see cref="PerStep"/>.</summary>
    public static double AttentionShare(ModelSize size) => size.Tokens * AttentionPerToken(size) / PerStep(size);

    private static double AttentionPerToken(ModelSize size) => 6.0 * size.Layers * size.Width * size.Context;
}
