using TinyLlm.Model;

namespace TinyLlm.Training;

/// <summary>What the loop measures a model by.</summary>
public interface IEvaluator
{
    /// <summary>How the loss that it gives is to be read.</summary>
    Measure Measure => Measure.ValidationLoss;

    /// <summary>Runs the model over what it is measured on; the activations are overwritten.</summary>
    /// <returns>What was measured, or nothing where it was asked to stop before all was.</returns>
    Evaluation? Evaluate(Gpt model, Activations activations, CancellationToken stop = default);
}
