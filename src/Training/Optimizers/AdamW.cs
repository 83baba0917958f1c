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
    private readonly float[] host = new float[1];

    /// <summary>Plans the state in <paramref name="arena"/>; the gradients must have been planned.</summary>
    public AdamW(Gpt model, AdamWSettings settings, Arena arena)
    {
        (this.model, this.settings, this.arena) = (model, settings, arena);
        firstVector = model.Parameters.All.TakeWhile(p => p.Group != ParameterGroup.Vector).Count();
        M = model.Parameters.Plan(arena);
        V = model.Parameters.Plan(arena);
        sumSquares = arena.Add("gradient norm", 1);
    }

    /// <summary>Mean of the gradients, one tensor a parameter in the order of the table.</summary>
    public IReadOnlyList<Tensor> M { get; }

    /// <summary>Mean of their squares.</summary>
    public IReadOnlyList<Tensor> V { get; }

    /// <summary>Updates the weights from the gradients. Where the gradient's norm is not finite it changes nothing.</summary>
    public void Step(StepState state)
    {
        model.Backend.SumSquares(model.AllGradients, sumSquares);
        Update(0, firstVector - 1, settings, state);
        Update(firstVector, model.Parameters.All.Count - 1, settings with { WeightDecay = 0 }, state);
    }

    /// <summary>The global norm of the gradients of the last <see cref="Step"/>, before clipping. Waits for the device.</summary>
    public float GradientNorm()
    {
        model.Backend.Read(sumSquares, host);
        return MathF.Sqrt(host[0]);
    }

    /// <summary>The global norm of the gradients as they are, without a step. Waits for the device.</summary>
    public float MeasureGradients()
    {
        model.Backend.SumSquares(model.AllGradients, sumSquares);
        return GradientNorm();
    }

    private void Update(int first, int last, AdamWSettings settings, StepState state)
    {
        var (a, b) = (model.Parameters.All[first], model.Parameters.All[last]);
        model.Backend.AdamW(model.ValueRange(a, b), model.GradientRange(a, b), arena.Range(M[first], M[last]), arena.Range(V[first], V[last]),
            sumSquares, state.Buffer, settings, model.WorkingRange(a, b));
    }
}
