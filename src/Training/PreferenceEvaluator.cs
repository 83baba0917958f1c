using TinyLlm.Model;
using TinyLlm.Training.Data;
using TinyLlm.Training.Objectives;

namespace TinyLlm.Training;

/// <summary>Measures a model on comparisons: its loss, and how often the chosen answer is ahead.</summary>
/// <param name="examples">The comparisons.</param>
/// <param name="objective">Their loss, with their reference.</param>
public sealed class PreferenceEvaluator(PreferenceExamples examples, PreferenceObjective objective) : IEvaluator
{
    /// <inheritdoc/>
    public Evaluation? Evaluate(Gpt model, Activations activations, CancellationToken stop = default)
    {
        int b = activations.B, t = activations.T;
        var batch = new Batch(b, t);
        var places = new (long, long)[b];
        var (positions, logs, weights) = (new int[b * t], new float[b * t], new float[b * t]);
        PreferenceFigures all = default;
        for (long first = 0; first < examples.Count; first += b)
        {
            if (stop.IsCancellationRequested)
                return null;
            for (int row = 0; row < b; row++)
                places[row] = (0, first + row < examples.Count ? first + row : -1);
            batch.Fill(examples, places);
            batch.SendTo(activations, positions);
            model.Forward(activations);
            model.LogProbabilities(activations);
            model.Backend.Read(activations.LogProbabilities, logs);
            all += objective.Weigh(batch, places, logs, examples.Pairs, weights);
        }

        return new Evaluation(all.Loss / all.Pairs, double.NaN, all.Pairs) { Preferences = all };
    }
}
