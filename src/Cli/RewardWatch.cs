using System.Globalization;
using TinyLlm.Training.Rewards;

namespace TinyLlm.Cli;

/// <summary>Says where a run on the model's own answers learns nothing: while it runs, and at its end.</summary>
/// <param name="settings">How the answers are sampled.</param>
internal sealed class RewardWatch(RolloutSettings settings)
{
    private const int LoggedSteps = 2; // all cut before a word is said
    private const int FewGroups = 32; // so many may be without differences by chance, as in a trial of two steps

    private const string RemedyOfCut = "Raise --max-tokens, or begin with a model that ends its answers: finetune it "
        + "on conversations first.";

    private int cutInARow;
    private bool warned;

    /// <summary>A line, once, where every answer of the last logged steps was cut.</summary>
    /// <param name="step">What the answers of a logged step earned.</param>
    public string? Warning(RewardFigures step)
    {
        cutInARow = step is { Samples: > 0, Ended: 0 } ? cutInARow + 1 : 0;
        if (warned || cutInARow < LoggedSteps)
            return null;
        warned = true;
        return $"All answers of the last {LoggedSteps} logged steps were longer than --max-tokens "
            + $"{settings.MaxTokens}: nothing is learned from them. {RemedyOfCut}";
    }

    /// <summary>Looks back on a session.</summary>
    /// <param name="session">What the answers of all its steps earned.</param>
    /// <param name="learnedBefore">Whether the run learned something in an earlier session.</param>
    /// <returns>A line where no answer earned more than another of its group, but few were asked, or the run has
    /// learned before; else nothing.</returns>
    /// <exception cref="TinyLlmException">Nothing was learned: all answers were cut, or all that ended earned the same
    /// within their groups.</exception>
    public string? Judge(RewardFigures session, bool learnedBefore)
    {
        if (session.Samples == 0 || session.Flat < session.Samples)
            return null;
        if (session.Ended == 0)
        {
            throw new TinyLlmException($"Nothing was learned: all {session.Samples:N0} answers of this session were "
                + $"longer than --max-tokens {settings.MaxTokens}, " +
                $"and only answers that end are scored. {RemedyOfCut}");
        }

        long groups = session.Samples / settings.Group;
        string cut = session.Truncated > 0 ? $"{session.Truncated:N0} were longer than --max-tokens "
            + $"{settings.MaxTokens}, and the other {session.Ended:N0}" : "all";
        string mean = session.Mean.ToString("F4", CultureInfo.InvariantCulture);
        string line = $"Nothing was learned: of the {session.Samples:N0} answers of this session to {groups:N0} "
            + $"prompts {cut} earned the same as the others of their group " +
            $"(mean reward {mean}). Raise {(session.Truncated > 0 ? "--max-tokens, " : "")}--group or --temperature, "
            + "or choose another --reward, " +
            "or prompts that the model answers rightly now and then, but not always.";
        return groups < FewGroups || learnedBefore ? line : throw new TinyLlmException(line);
    }
}
