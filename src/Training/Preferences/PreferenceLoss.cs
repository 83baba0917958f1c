
namespace TinyLlm.Training.Preferences;

/// <summary>Which loss a difference of log-ratios has.</summary>
public enum PreferenceLossKind
{
    /// <summary>
    /// -log sigmoid(beta h) over sums of log-probabilities (R. Rafailov et al., "Direct Preference Optimization", 2023,
    /// equation 7).
    /// </summary>
    Sigmoid,

    /// <summary>The same over means: long answers have no advantage.</summary>
    SigmoidNorm,

    /// <summary>
    /// (h - 1 / (2 beta))^2 over means (M. Azar et al., "A General Theoretical Paradigm to Understand Learning from
    /// Human Preferences", 2023, equation 17).
    /// </summary>
    Ipo,
}

/// <summary>The constants of learning from comparisons.</summary>
/// <param name="Beta">How much the log-ratio to the reference counts: the higher, the nearer the model stays.</param>
/// <param name="LabelSmoothing">Chance that a label is wrong, 0 to less than 0.5; with
/// <see cref="PreferenceLossKind.Ipo"/> 0.</param>
/// <param name="Kind">The loss.</param>
public sealed record PreferenceSettings(double Beta, double LabelSmoothing, PreferenceLossKind Kind)
{
    /// <summary>Checks the values.</summary>
    /// <exception cref="TinyLlmException">One is out of range.</exception>
    public void Validate()
    {
        if (!(Beta > 0 && double.IsFinite(Beta)))
            throw new TinyLlmException($"--dpo-beta {Beta}: expected a number above 0, such as 0.1.");
        if (!(LabelSmoothing is >= 0 and < 0.5))
            throw new TinyLlmException($"--label-smoothing {LabelSmoothing}: expected 0 or more and less than 0.5.");
        if (Kind == PreferenceLossKind.Ipo && LabelSmoothing != 0)
            throw new TinyLlmException($"--label-smoothing {LabelSmoothing}: ipo has none; expected 0.");
    }
}

/// <summary>An answer's log-probability by the model and by the reference.</summary>
/// <param name="Log">Sum over its tokens, by the model.</param>
/// <param name="Reference">The same by the reference.</param>
/// <param name="Tokens">Number of its tokens.</param>
public readonly record struct AnswerLogs(double Log, double Reference, int Tokens)
{
    /// <summary>How much likelier the model finds it than the reference does.</summary>
    public double Ratio => Log - Reference;
}

/// <summary>The loss of one comparison, and how it changes with the answers' log-probabilities.</summary>
/// <param name="Loss">In nats, or nats squared for ipo.</param>
/// <param name="Margin">The difference of the answers' rewards, beta times that of their log-ratios.</param>
/// <param name="ChosenSlope">dLoss / dLog of the chosen answer.</param>
/// <param name="RejectedSlope">dLoss / dLog of the rejected answer.</param>
public readonly record struct PreferenceLoss(double Loss, double Margin, double ChosenSlope, double RejectedSlope)
{
    /// <summary>The loss of a pair.</summary>
    public static PreferenceLoss Of(PreferenceSettings settings, AnswerLogs chosen, AnswerLogs rejected)
    {
        bool mean = settings.Kind != PreferenceLossKind.Sigmoid;
        double perChosen = mean ? 1.0 / chosen.Tokens : 1, perRejected = mean ? 1.0 / rejected.Tokens : 1;
        double h = chosen.Ratio * perChosen - rejected.Ratio * perRejected, beta = settings.Beta,
            wrong = settings.LabelSmoothing, margin = beta * h;
        var (loss, slope) = settings.Kind == PreferenceLossKind.Ipo
            ? ((h - 1 / (2 * beta)) * (h - 1 / (2 * beta)), 2 * (h - 1 / (2 * beta)))
            : ((1 - wrong) * SoftPlus(-margin) + wrong * SoftPlus(margin),
                beta * (wrong * Sigmoid(margin) - (1 - wrong) * Sigmoid(-margin)));
        return new PreferenceLoss(loss, margin, slope * perChosen, -slope * perRejected);
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    // log(1 + e^x), which neither overflows nor loses what is small.
    private static double SoftPlus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));
}
