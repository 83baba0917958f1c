using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Training.Optimizers;

/// <summary>
/// AdamW: matrices and embeddings decay, the rest does not (as nanoGPT groups them). Parameters that lie side by side
/// and are treated alike are updated in one fused pass, so that all of a model's take two. The state lies in memory as
/// the parameters do.
/// </summary>
public sealed class AdamW : Optimizer
{
    private readonly Gpt model;
    private readonly IReadOnlyList<Parameter> parameters;
    private readonly Dictionary<Parameter, int> places; // of m and v
    private readonly Tensor[] m, v;
    private readonly Run[] runs;

    /// <summary>Plans the state in <paramref name="arena"/>; the gradients must have been planned.</summary>
    /// <param name="model">The model.</param>
    /// <param name="parameters">What to update: some or all of what the model trains, in the order of its
    /// table.</param>
    /// <param name="settings">The constants.</param>
    /// <param name="arena">Where the state goes.</param>
    /// <param name="sumSquares">(1) F32: where the square of the gradients' global norm goes.</param>
    public AdamW(Gpt model, IReadOnlyList<Parameter> parameters, AdamWSettings settings, Arena arena, Tensor sumSquares)
        : base(model, sumSquares)
    {
        (this.model, this.parameters) = (model, parameters);
        m = [.. parameters.Select(p => arena.Add("m." + p.Name, p.Shape))];
        v = [.. parameters.Select(p => arena.Add("v." + p.Name, p.Shape))];
        places = parameters.Select((p, i) => (p, i)).ToDictionary(pair => pair.p, pair => pair.i);
        runs = [.. model.Trained.Runs(p => places.ContainsKey(p) ? Decays(p) : null)
            .Select(run => MakeRun(run.First, run.Last, settings, arena))];
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Tensor Tensor)> State =>
        parameters.Select((p, i) => ("m." + p.Name, m[i])).Concat(parameters.Select((p, i) => ("v." + p.Name, v[i])));

    /// <inheritdoc/>
    protected internal override void Update(StepState state)
    {
        foreach (var run in runs)
        {
            model.Backend.AdamW(
                run.Values, run.Gradients, run.M, run.V, SumSquares, state.Buffer, run.Settings, run.Working);
        }
    }

    private Run MakeRun(Parameter first, Parameter last, AdamWSettings settings, Arena arena)
    {
        int a = places[first], b = places[last];
        return new Run(
            model.ValueRange(first, last), model.GradientRange(first, last), arena.Range(m[a], m[b]),
            arena.Range(v[a], v[b]),
            Decays(first) ? settings : settings with { WeightDecay = 0 }, model.WorkingRange(first, last));
    }

    private static bool Decays(Parameter parameter) => parameter.Group != ParameterGroup.Vector;

    private sealed record Run(
        Tensor Values, Tensor Gradients, Tensor M, Tensor V, AdamWSettings Settings, Tensor? Working);
}
