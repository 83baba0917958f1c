using TinyLlm.Data;
using TinyLlm.Model;

namespace TinyLlm.Training.Preferences;

/// <summary>Measures a model on comparisons: its loss, and how often the chosen answer is ahead.</summary>
/// <param name="examples">The comparisons.</param>
/// <param name="objective">Their loss, with their reference.</param>
public sealed class PreferenceEvaluator(PreferenceExamples examples, PreferenceObjective objective) : IEvaluator
{
    private readonly ForwardPass pass = new(examples, examples.Count);

    /// <inheritdoc/>
    public Evaluation? Evaluate(Gpt model, Activations activations, CancellationToken stop = default)
    {
        var weights = new float[activations.B * activations.T];
        PreferenceFigures all = default;
        bool done = pass.Run(
            model, activations, (_, batch, places, logs) =>
                all += objective.Weigh(batch, places, logs, examples.Pairs, weights), stop);
        if (!done)
            return null;
        return new Evaluation(all.Loss / all.Pairs, double.NaN, all.Pairs) { Preferences = all };
    }
}
