using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Training.Optimizers;

/// <summary>
/// AdamW over all parameters of a model: one fused pass over matrices and embeddings, which decay, and one over the rest, which do not
/// (as nanoGPT groups them). The state lies in memory as the parameters do.
/// </summary>
public sealed class AdamW
{
    private readonly Gpt model;
    private readonly AdamWSettings settings;
    private readonly Tensor sumSquares;
    private readonly Arena arena;
    private readonly int firstVector; // place in the table of the first parameter that does not decay

    /// <summary>Plans the state in <paramref name="arena"/>; the gradients must have been planned.</summary>
    /// <param name="sumSquares">(1) F32: where the square of the gradients' global norm goes.</param>
    public AdamW(Gpt model, AdamWSettings settings, Arena arena, Tensor sumSquares)
    {
        (this.model, this.settings, this.arena, this.sumSquares) = (model, settings, arena, sumSquares);
        firstVector = model.Parameters.All.TakeWhile(p => p.Group != ParameterGroup.Vector).Count();
        M = model.Parameters.Plan(arena);
        V = model.Parameters.Plan(arena);
    }

    /// <summary>Mean of the gradients, one tensor a parameter in the order of the table.</summary>
    public IReadOnlyList<Tensor> M { get; }

    /// <summary>Mean of their squares.</summary>
    public IReadOnlyList<Tensor> V { get; }

    /// <summary>Updates the weights from the gradients. Where the gradient's norm is not finite it changes nothing.</summary>
    public void Step(StepState state)
    {
        MeasureGradients();
        Update(0, firstVector - 1, settings, state);
        Update(firstVector, model.Parameters.All.Count - 1, settings with { WeightDecay = 0 }, state);
    }

    /// <summary>The square of the global norm of the gradients as they are, without a step.</summary>
    public void MeasureGradients() => model.Backend.SumSquares(model.AllGradients, sumSquares);

    private void Update(int first, int last, AdamWSettings settings, StepState state)
    {
        var (a, b) = (model.Parameters.All[first], model.Parameters.All[last]);
        model.Backend.AdamW(model.ValueRange(a, b), model.GradientRange(a, b), arena.Range(M[first], M[last]), arena.Range(V[first], V[last]),
            sumSquares, state.Buffer, settings, model.WorkingRange(a, b));
    }
}
