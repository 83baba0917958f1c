using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Training.Optimizers;

/// <summary>
/// Updates weights from gradients. The ops of a step are the same every time, and what changes from step to step lies
/// in the <see cref="StepState"/>, so that a whole step can be recorded; the constructor plans all memory.
/// </summary>
public abstract class Optimizer
{
    private readonly Gpt model;

    /// <summary>Remembers where the gradients' norm goes.</summary>
    /// <param name="model">The model.</param>
    /// <param name="sumSquares">(1) F32: where the square of the gradients' global norm goes.</param>
    protected Optimizer(Gpt model, Tensor sumSquares) => (this.model, SumSquares) = (model, sumSquares);

    /// <summary>
    /// The tensors that belong into a checkpoint, by their names there: with them and the weights a run goes on as if
    /// it had never stopped.
    /// </summary>
    public abstract IEnumerable<(string Name, Tensor Tensor)> State { get; }

    /// <summary>(1) F32: the square of the global norm of the gradients.</summary>
    protected Tensor SumSquares { get; }

    /// <summary>
    /// The optimiser that the settings name, over <paramref name="parameters"/>; the gradients must have been planned.
    /// </summary>
    public static Optimizer Create(
        Gpt model, IReadOnlyList<Parameter> parameters, TrainerSettings settings, Arena arena, Tensor sumSquares) =>
        settings.Muon is { } muon
        ? new Muon(model, parameters, muon, (float)(muon.LearningRate / settings.Schedule.LearningRate), settings.AdamW,
            arena, sumSquares)
        : new AdamW(model, parameters, settings.AdamW, arena, sumSquares);

    /// <summary>
    /// Updates the weights from the gradients. Where the gradients' norm is not finite it changes neither weights nor
    /// state.
    /// </summary>
    public void Step(StepState state)
    {
        MeasureGradients();
        Update(state);
    }

    /// <summary>The square of the global norm of the gradients as they are, without a step.</summary>
    public void MeasureGradients() => model.Backend.SumSquares(model.AllGradients, SumSquares);

    /// <summary>The part of <see cref="Step"/> that follows once the gradients' norm is known.</summary>
    protected internal abstract void Update(StepState state);
}
