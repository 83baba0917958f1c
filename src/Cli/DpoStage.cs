using TinyLlm.Data;
using TinyLlm.Model;
using TinyLlm.Tokenizers;
using TinyLlm.Training.Preferences;

namespace TinyLlm.Cli;

/// <summary>Learning from comparisons: of two answers, which is the better.</summary>
internal static class DpoStage
{
    /// <summary>
    /// What the loop takes where no option says otherwise: small steps, because every answer was written by a model
    /// that is good already.
    /// </summary>
    public static readonly LoopDefaults Defaults =
        new(Steps: 200, BatchSize: 16, LearningRate: 2e-4, WeightDecay: 0, Optimizer: LoopOptions.AdamW);

    private const int RowsOfReference = 16;

    /// <summary>Reads the comparisons, measures the reference on them, and says what the loop learns from.</summary>
    /// <param name="model">The model, with the weights that the run begins or goes on with.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="openReference">Opens the model that the run was begun with, where it goes on; null where it begins:
    /// then the model itself is the reference.</param>
    /// <param name="sources">Files of comparisons.</param>
    /// <param name="validation">Another one for validation; none for the last tenth of each.</param>
    /// <param name="settings">Beta and the kind of loss.</param>
    /// <param name="stop">Stops the reference's measuring.</param>
    /// <exception cref="TinyLlmException">They cannot be read, or none fits the model.</exception>
    public static Stage Create(Gpt model, Tokenizer tokenizer, Func<Gpt>? openReference, string[] sources,
        string[] validation, PreferenceSettings settings, CancellationToken stop)
    {
        settings.Validate();
        var report = new RowReport();
        var (trainPairs, heldPairs, unpaired) = Split(sources, validation, report);
        var train = new PreferenceExamples(trainPairs, tokenizer, model.Config.Context);
        var held = new PreferenceExamples(heldPairs, tokenizer, model.Config.Context, train.Length);
        using var earlier = openReference?.Invoke();
        var reference = earlier ?? model;
        double[] trainLogs = PreferenceObjective.LogProbabilities(reference, train, RowsOfReference, stop),
            heldLogs = PreferenceObjective.LogProbabilities(reference, held, RowsOfReference, stop);

        List<(string, string)> headings = [("data", $"{string.Join(", ", sources)}: {train.Pairs:N0} comparisons, "
            + $"{held.Pairs:N0} for validation, {train.Length} tokens a row")];
        if (train.Skipped + held.Skipped > 0)
        {
            headings.Add(
                ("skipped", $"{train.Skipped:N0} training and {held.Skipped:N0} validation comparisons longer than "
                + "the context"));
        }

        if (unpaired > 0)
            headings.Add(("skipped", $"{unpaired:N0} rows that rate one answer"));
        headings.AddRange(SftStage.Notes(report));
        headings.Add(
            ("loss", $"{settings.Kind.ToString().ToLowerInvariant()}, beta {settings.Beta}, label smoothing "
            + $"{settings.LabelSmoothing}"));
        return new Stage(
            "finetune", model, tokenizer, train, held, ChatTemplate.EncodePrompt(tokenizer, heldPairs[0].Prompt),
            "preferred", headings,
            new PreferenceEvaluator(held, new PreferenceObjective(settings, heldLogs)),
            new PreferenceObjective(settings, trainLogs));
    }

    private static (List<PreferencePair> Train, List<PreferencePair> Held, int Unpaired) Split(string[] sources,
        string[] validation, RowReport report)
    {
        List<PreferencePair> train = [], held = [];
        int unpaired = 0;
        foreach (string source in sources)
        {
            var (pairs, left) = PreferenceRows.Read(source, report);
            unpaired += left;
            HeldOut.Split(source, pairs, "comparison", validation.Length > 0, train, held);
        }

        foreach (string source in validation)
            held.AddRange(PreferenceRows.Read(source, report).Pairs);
        return (train, held, unpaired);
    }
}
