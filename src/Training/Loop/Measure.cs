using System.Globalization;

namespace TinyLlm.Training;

/// <summary>
/// The number by which a stage tells which weights are the best. The loop compares losses; this says how to read them.
/// </summary>
/// <param name="Name">What it is called, such as "validation loss".</param>
/// <param name="HigherIsBetter">Whether more is better: then the loss that the loop compares is its negative.</param>
public sealed record Measure(string Name, bool HigherIsBetter)
{
    /// <summary>
    /// Mean loss of the validation examples, in nats: of tokens or, where comparisons are learned, of pairs.
    /// </summary>
    public static readonly Measure ValidationLoss = new("validation loss", HigherIsBetter: false);

    /// <summary>Mean reward of greedy answers to validation prompts, of those that come to an end.</summary>
    public static readonly Measure ValidationReward = new("validation reward", HigherIsBetter: true);

    /// <summary>The best in words, such as "lowest validation loss".</summary>
    public string DescribeBest() => $"{(HigherIsBetter ? "highest" : "lowest")} {Name}";

    /// <summary>The same with its value, such as "highest validation reward 0.4312".</summary>
    /// <param name="loss">The lowest loss.</param>
    public string DescribeBest(double loss)
    {
        double value = HigherIsBetter ? 0 - loss : loss; // never -0
        return $"{DescribeBest()} {value.ToString("F4", CultureInfo.InvariantCulture)}";
    }
}
