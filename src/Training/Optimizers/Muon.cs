using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Training.Optimizers;

/// <summary>
/// What Muon keeps the same over a run, beside AdamW's weight decay and clipping, which hold for both.
/// </summary>
/// <param name="LearningRate">Highest learning rate of the matrices; it moves as the schedule's does.</param>
/// <param name="Momentum">Decay of the momentum.</param>
public readonly record struct MuonSettings(double LearningRate, float Momentum = 0.95f);

/// <summary>
/// Muon (K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024) for the weights of linear
/// layers, AdamW for embeddings, head and vectors. A matrix moves by its momentum made nearly orthogonal, times the
/// learning rate and sqrt(max(1, rows / columns)): whatever the gradient's size, and in every direction alike. It keeps
/// one number a weight; AdamW keeps two.
/// </summary>
public sealed class Muon : Optimizer
{
    private readonly Backend backend;
    private readonly MuonSettings settings;
    private readonly AdamWSettings others;
    private readonly float factor;
    private readonly IReadOnlyList<Parameter> matrices;
    private readonly Tensor[] momentum;
    private readonly LinearMap[] maps;
    private readonly NewtonSchulz? newtonSchulz;
    private readonly AdamW rest;

    /// <summary>Plans the state in <paramref name="arena"/>; the gradients must have been planned.</summary>
    /// <param name="model">The model.</param>
    /// <param name="parameters">What to update: some or all of what the model trains, in the order of its
    /// table.</param>
    /// <param name="settings">Muon's constants.</param>
    /// <param name="factor">The matrices' learning rate over that of the step state.</param>
    /// <param name="others">AdamW's constants; weight decay and clipping hold for the matrices too.</param>
    /// <param name="arena">Where the state goes.</param>
    /// <param name="sumSquares">(1) F32: where the square of the gradients' global norm goes.</param>
    public Muon(
        Gpt model, IReadOnlyList<Parameter> parameters, MuonSettings settings, float factor, AdamWSettings others,
        Arena arena, Tensor sumSquares)
        : base(model, sumSquares)
    {
        (backend, this.settings, this.factor, this.others) = (model.Backend, settings, factor, others);
        matrices = [.. parameters.Where(p => p.Group == ParameterGroup.Matrix)];
        momentum = [.. matrices.Select(p => arena.Add("momentum." + p.Name, p.Shape))];
        maps = [.. matrices.SelectMany((p, i) => MapsOf(p, momentum[i]))];
        newtonSchulz = maps.Length == 0 ? null
            : new NewtonSchulz(arena, [.. maps.Select(map => (map.Rows, map.Columns))], model.Config.ComputeType);
        rest = new AdamW(
            model, [.. parameters.Where(p => p.Group != ParameterGroup.Matrix)], others, arena, sumSquares);
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Tensor Tensor)> State =>
        matrices.Select((p, i) => ("momentum." + p.Name, momentum[i])).Concat(rest.State);

    /// <inheritdoc/>
    protected internal override void Update(StepState state)
    {
        foreach (var map in maps)
        {
            backend.MuonMomentum(
                map.Gradient, map.Momentum, newtonSchulz!.Input(map.Rows, map.Columns), SumSquares, settings.Momentum,
                others.Clip);
            var direction = newtonSchulz.Orthogonalize(map.Rows, map.Columns);
            backend.MuonStep(
                map.Value, direction, SumSquares, state.Buffer, factor, map.Scale, others.WeightDecay, map.Working);
        }

        rest.Update(state);
    }

    // A stacked matrix is several linear maps of one input, not one: q, k and v (or gate and up) meet only in what
    // follows. Orthogonalised as a whole, their rows would share the columns' singular values, and the part with the
    // largest gradient would take most of the step from the others.
    private static IEnumerable<LinearMap> MapsOf(Parameter parameter, Tensor momentum)
    {
        int columns = parameter.Shape[1], first = 0;
        foreach (int rows in parameter.StackedRows)
        {
            yield return new LinearMap(
                rows, columns, Rows(parameter.Value), Rows(parameter.Gradient!.Value), Rows(momentum),
                parameter.HasWorkingCopy ? Rows(parameter.Working)
                : null, MathF.Sqrt(MathF.Max(1, (float)rows / columns)));
            first += rows;

            Tensor Rows(Tensor whole) => whole.Slice(0, first, rows);
        }
    }

    private sealed record LinearMap(
        int Rows, int Columns, Tensor Value, Tensor Gradient, Tensor Momentum, Tensor? Working, float Scale);
}
