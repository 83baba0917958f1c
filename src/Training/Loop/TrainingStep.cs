using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Training.Optimizers;

namespace TinyLlm.Training;

/// <summary>What a step tells of itself.</summary>
/// <param name="Scored">Tokens that it learned from.</param>
/// <param name="Loss">Their mean loss, before the update.</param>
/// <param name="GradientNorm">Global norm of the gradients before clipping.</param>
/// <param name="Objective">Of a loss that the host works out: what it showed.</param>
internal readonly record struct StepFigures(long Scored, double Loss, float GradientNorm, ObjectiveFigures? Objective);

/// <summary>
/// One optimiser step on the device: its examples go up, forward and backward run once a micro-batch, the weights are
/// updated, and loss and norm come back. The ops are the same every time, so they are recorded; where all rows go
/// through the model at once a step is a single launch. A loss of an <see cref="IObjective"/> is worked out by the host
/// between forward and backward, which are then launches of their own.
/// </summary>
/// <remarks>
/// A step may be started before the one before is finished: the device then goes from one to the next without waiting
/// for the host.
/// </remarks>
internal sealed class TrainingStep : IDisposable
{
    /// <summary>How many steps may be started and not finished.</summary>
    public const int MaxInFlight = 2;

    private const int LossPlace = 0, SquaresPlace = 1, Figures = 2;

    private readonly Gpt model;
    private readonly IExamples examples;
    private readonly IExampleOrder order;
    private readonly TrainerSettings settings;
    private readonly Activations activations;
    private readonly StepState state;
    private readonly Optimizer optimizer;
    private readonly Tensor figures;
    private readonly IObjective? objective;
    private readonly OpSequence wholeStep, firstPass, laterPass, update, forward, firstBackward, laterBackward;
    private readonly (ReadBack Values, long Scored, ObjectiveFigures? Objective)[] inFlight =
        new (ReadBack, long, ObjectiveFigures?)[MaxInFlight];
    private readonly Batch[] batches;         // one for each micro-batch of a step
    private readonly (long Epoch, long Index)[][] places; // of each
    private readonly int[] positions;
    private readonly float[] tokenWeights, logProbabilities;
    private int started, finished;
    private bool hasExamples; // of a step

    /// <summary>
    /// Makes the host's side of a step; what it needs on the device has been planned with <see cref="PlanFigures"/>.
    /// </summary>
    public TrainingStep(
        Gpt model, IExamples examples, TrainerSettings settings, Activations activations, StepState state,
        Optimizer optimizer, Tensor figures,
        IObjective? objective = null)
    {
        (this.model, this.examples, this.settings, this.activations) = (model, examples, settings, activations);
        (this.state, this.optimizer, this.figures, this.objective) = (state, optimizer, figures, objective);
        int b = activations.B, t = activations.T;
        order = examples.Order(settings.Seed);
        batches = Enumerable.Range(0, settings.Accumulate * (settings.BatchSize / b))
            .Select(_ => new Batch(b, t, examples.IsPacked)).ToArray();
        places = [.. batches.Select(_ => new (long, long)[b])];
        (positions, tokenWeights, logProbabilities) =
            (new int[b * t], new float[b * t], objective is null ? [] : new float[b * t]);

        var backend = model.Backend;
        wholeStep = backend.Record(() => { FirstPass(); Update(); });
        firstPass = backend.Record(FirstPass);
        laterPass = backend.Record(() => Pass(accumulate: true));
        update = backend.Record(Update);
        forward = backend.Record(() =>
        {
            model.Forward(activations, state: state);
            model.LogProbabilities(activations);
        });
        firstBackward = backend.Record(() => model.Backward(activations, state, accumulate: false));
        laterBackward = backend.Record(() => model.Backward(activations, state));
        for (int i = 0; i < inFlight.Length; i++)
            inFlight[i].Values = backend.CreateReadBack(Figures);
    }

    /// <summary>
    /// Plans what a step reports: its loss, and the sum of the squared gradients, which the optimiser computes.
    /// </summary>
    public static (Tensor Figures, Tensor SumSquares) PlanFigures(Arena arena)
    {
        var figures = arena.Add("loss and squared gradient norm", Figures);
        return (figures, figures.Slice(0, SquaresPlace, 1));
    }

    /// <summary>Starts step number <paramref name="step"/>, counted from 0.</summary>
    /// <exception cref="InvalidOperationException">Too many steps are started and not finished.</exception>
    public void Start(int step, float learningRate)
    {
        if (started - finished == MaxInFlight)
            throw new InvalidOperationException($"Start: {MaxInFlight} steps are started and not finished.");
        long scored = ReadExamples(step, prepare: true);
        ObjectiveFigures? seen = null;
        if (objective is not null)
        {
            ObjectiveFigures sum = default;
            for (int micro = 0; micro < batches.Length; micro++)
                sum += WeighedPass(step, micro, scored, learningRate);
            seen = sum;
            update.Run();
        }
        else if (batches.Length == 1)
        {
            Send(step, 0, scored, learningRate);
            wholeStep.Run();
        }
        else
        {
            for (int micro = 0; micro < batches.Length; micro++)
            {
                Send(step, micro, scored, learningRate);
                (micro == 0 ? firstPass : laterPass).Run();
            }

            update.Run();
        }

        ref var slot = ref inFlight[started++ % MaxInFlight];
        (slot.Scored, slot.Objective) = (scored, seen);
        slot.Values.Start(figures);
    }

    /// <summary>Waits for the first of the steps that are started and not finished.</summary>
    public StepFigures Finish()
    {
        var (values, scored, seen) = inFlight[finished++ % MaxInFlight];
        return ToFigures(values.Wait(), scored, seen);
    }

    /// <summary>
    /// Loss and norm of the first micro-batch of a step, without a step. None may be in flight. Of examples that are
    /// made anew for each step it takes those that are there, so that a checkpoint waits for none: they would be made
    /// with a run that is to stop.
    /// </summary>
    /// <returns>The figures; nothing where no step has been started whose examples could be taken.</returns>
    public StepFigures? Measure(int step)
    {
        if (examples is IStepExamples && !hasExamples)
            return null;
        long scored = ReadExamples(step, prepare: false);
        ObjectiveFigures? seen = null;
        if (objective is not null)
        {
            seen = WeighedPass(step, 0, scored, 0);
        }
        else
        {
            Send(step, 0, scored, 0);
            firstPass.Run();
        }

        optimizer.MeasureGradients();
        inFlight[0].Values.Start(figures);
        return ToFigures(inFlight[0].Values.Wait(), scored, seen);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var sequence in (OpSequence[])[wholeStep, firstPass, laterPass, update, forward, firstBackward,
            laterBackward])
            sequence.Dispose();
        foreach (var (values, _, _) in inFlight)
            values.Dispose();
    }

    // Of such a loss the host knows the value.
    private static StepFigures ToFigures(ReadOnlySpan<float> values, long scored, ObjectiveFigures? seen) =>
        new(scored, seen is { } s ? s.Loss : values[LossPlace], MathF.Sqrt(values[SquaresPlace]), seen);

    // Forward, the objective's token weights, backward.
    private ObjectiveFigures WeighedPass(int step, int micro, long scored, float learningRate)
    {
        Send(step, micro, scored, learningRate);
        forward.Run();
        model.Backend.Read(activations.LogProbabilities, logProbabilities);
        var seen = objective!.Weigh(
            batches[micro], places[micro], logProbabilities, (long)settings.BatchSize * settings.Accumulate,
            tokenWeights);
        model.Backend.Write(activations.TokenWeights, tokenWeights);
        (micro == 0 ? firstBackward : laterBackward).Run();
        return seen;
    }

    // The loss is a mean over all scored tokens of the step, so all of them are counted before the first backward pass.
    private long ReadExamples(int step, bool prepare)
    {
        if (prepare)
            (examples as IStepExamples)?.Prepare(step);
        hasExamples = true;
        long position = (long)step * settings.BatchSize * settings.Accumulate;
        long scored = 0;
        for (int micro = 0; micro < batches.Length; micro++)
        {
            for (int row = 0; row < places[micro].Length; row++)
                places[micro][row] = order.At(position++);
            batches[micro].Fill(examples, places[micro]);
            scored += batches[micro].Scored;
        }

        return scored;
    }

    // All that changes from step to step goes to the device before the ops, which therefore stay the same.
    private void Send(int step, int micro, long scored, float learningRate)
    {
        var batch = batches[micro];
        for (int n = 0; n < tokenWeights.Length; n++)
            tokenWeights[n] = batch.Targets[n] >= 0 ? 1f / scored : 0;
        state.Send(settings.Seed, step, micro, learningRate, settings.AdamW.Beta1, settings.AdamW.Beta2);
        batch.SendTo(activations, positions);
        model.Backend.Write(activations.TokenWeights, tokenWeights);
    }

    // Its gradients take the place of the last step's.
    private void FirstPass()
    {
        model.Backend.Fill(figures, 0);
        Pass(accumulate: false);
    }

    private void Pass(bool accumulate)
    {
        model.Forward(activations, state: state);
        model.LogProbabilitiesAndBackward(activations, state, accumulate);
        model.Backend.Dot(activations.LogProbabilities, activations.TokenWeights, -1, figures.Slice(0, LossPlace, 1));
    }

    private void Update() => optimizer.Step(state);
}
