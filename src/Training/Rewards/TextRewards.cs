using System.Globalization;
using System.Text.RegularExpressions;

namespace TinyLlm.Training.Rewards;

/// <summary>1 for the row's answer, white space around it aside; else 0.</summary>
public sealed class ExactReward : IReward
{
    /// <inheritdoc/>
    public double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop) =>
        [.. attempts.Select(a => a.Completion.Trim() == a.Answer.Trim() ? 1.0 : 0)];
}

/// <summary>
/// 1 where the numbers are equal, else 0: the one behind <c>####</c>, as GSM8K ends its answers, or else the last of
/// the text. Thousands may have commas.
/// </summary>
public sealed partial class NumericReward : IReward
{
    /// <inheritdoc/>
    public double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop) =>
        [.. attempts.Select(a => NumberOf(a.Answer) is { } expected && NumberOf(a.Completion) == expected ? 1.0 : 0)];

    /// <summary>The number that a text ends with, if it has one.</summary>
    internal static decimal? NumberOf(string text)
    {
        int mark = text.LastIndexOf("####", StringComparison.Ordinal);
        var found = mark >= 0 ? Number().Match(text, mark) : Number().Matches(text).LastOrDefault();
        return found is { Success: true }
            && decimal.TryParse(
                found.Value.Replace(",", "", StringComparison.Ordinal), NumberStyles.Number,
                CultureInfo.InvariantCulture, out decimal value) ? value : null;
    }

    [GeneratedRegex(@"-?\d{1,3}(,\d{3})+(\.\d+)?|-?\d+(\.\d+)?")]
    private static partial Regex Number();
}

/// <summary>1 where a regular expression matches, else 0.</summary>
public sealed class RegexReward : IReward
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private readonly Regex regex;

    /// <summary>Compiles the expression.</summary>
    /// <exception cref="TinyLlmException">It is none.</exception>
    public RegexReward(string pattern)
    {
        try
        {
            regex = new Regex(pattern, RegexOptions.CultureInvariant, Longest);
        }
        catch (ArgumentException e)
        {
            throw new TinyLlmException($"--reward-pattern {pattern}: no regular expression "
                + $"({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}).", e);
        }
    }

    /// <inheritdoc/>
    public double[] Score(IReadOnlyList<Attempt> attempts, CancellationToken stop)
    {
        try
        {
            return [.. attempts.Select(a => regex.IsMatch(a.Completion) ? 1.0 : 0)];
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new TinyLlmException($"--reward-pattern {regex}: a match took more than {Longest.TotalSeconds:F0} "
                + "s; expected an expression without nested repetitions.", e);
        }
    }
}
