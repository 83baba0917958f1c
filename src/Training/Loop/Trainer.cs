using System.Diagnostics;
using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Training.Optimizers;
using TinyLlm.Training.Preferences;
using TinyLlm.Training.Rewards;

namespace TinyLlm.Training;

/// <summary>Where a run stands. A checkpoint keeps it; with the settings it determines all that follows.</summary>
public sealed record TrainerState
{
    /// <summary>Optimiser steps done.</summary>
    public int Step { get; set; }

    /// <summary>Scored tokens learned from.</summary>
    public long Tokens { get; set; }

    /// <summary>
    /// Lowest validation loss so far, of a <see cref="Measure"/> of which more is better its highest value's negative;
    /// none before the first evaluation.
    /// </summary>
    public double? BestLoss { get; set; }

    /// <summary>Seconds of training, over all sessions.</summary>
    public double Seconds { get; set; }

    /// <summary>
    /// The last step's figures where its evaluation was cut off: what goes on from here evaluates first.
    /// </summary>
    public StepReport? Unreported { get; set; }
}

/// <summary>Figures of one step.</summary>
/// <param name="Step">Steps done, this one included.</param>
/// <param name="Tokens">Scored tokens learned from so far.</param>
/// <param name="Loss">Mean cross-entropy of this step's tokens, before the update.</param>
/// <param name="LearningRate">Learning rate of this step.</param>
/// <param name="GradientNorm">Global norm of the gradients before clipping.</param>
/// <param name="TokensPerSecond">Tokens a second since the last line of the log, evaluations and checkpoints left
/// out.</param>
/// <param name="Seconds">Seconds of training so far.</param>
/// <param name="Evaluation">Where this step was evaluated.</param>
public sealed record StepReport(
    int Step, long Tokens, double Loss, float LearningRate, float GradientNorm, double TokensPerSecond, double Seconds,
    Evaluation? Evaluation)
{
    /// <summary>Of a step on comparisons: what they showed before it.</summary>
    public PreferenceFigures? Preferences { get; init; }

    /// <summary>Of a step on the model's own answers: what they earned.</summary>
    public RewardFigures? Rewards { get; init; }
}

/// <summary>
/// What the loop tells the outside, and asks it to do. The loop itself writes no file and prints nothing.
/// </summary>
public interface ITrainerEvents
{
    /// <summary>A step is done. Called after every step.</summary>
    void Stepped(int step, double loss, double tokensPerSecond);

    /// <summary>A step that belongs into the log.</summary>
    void Log(StepReport report);

    /// <summary>The validation loss is the lowest so far.</summary>
    void Best(TrainerState state);

    /// <summary>Time for a sample.</summary>
    void Sample(int step);

    /// <summary>Time for a checkpoint.</summary>
    /// <param name="state">Where the run stands.</param>
    /// <param name="byTime">Whether only <see cref="TrainerSettings.CheckpointMinutes"/> asks for it, not the
    /// step.</param>
    void Checkpoint(TrainerState state, bool byTime);
}

/// <summary>How a run ended.</summary>
public enum TrainerResult
{
    /// <summary>All steps are done.</summary>
    Finished,

    /// <summary>It paused after the steps that <see cref="TrainerSettings.StopAfter"/> asks for.</summary>
    Paused,

    /// <summary>It was asked to stop.</summary>
    Interrupted,
}

/// <summary>
/// The training loop, for every stage: steps, and what is due between them. All memory is planned in the constructor
/// and nothing is allocated in the loop.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly Gpt model;
    private readonly IEvaluator? evaluator;
    private readonly TrainerSettings settings;
    private readonly TimeProvider clock;
    private readonly Arena arena;
    private readonly Activations activations;
    private readonly TrainingStep step;

    /// <summary>Plans and takes the memory of a run.</summary>
    /// <param name="model">The model, its weights initialised or loaded.</param>
    /// <param name="examples">What to learn from.</param>
    /// <param name="evaluator">How to measure, on examples of the same length; none for no validation.</param>
    /// <param name="settings">How to train.</param>
    /// <param name="objective">The loss, where it is not the mean over all scored tokens.</param>
    /// <param name="clock">By which checkpoints are due and seconds are counted; none for the system's.</param>
    /// <exception cref="TinyLlmException">A setting is out of range or the run does not fit into memory.</exception>
    public Trainer(
        Gpt model, IExamples examples, IEvaluator? evaluator, TrainerSettings settings, IObjective? objective = null,
        TimeProvider? clock = null)
    {
        settings.Validate();
        if (settings.MicroBatch % examples.Together != 0)
        {
            throw new TinyLlmException($"--micro-batch {settings.MicroBatch}: expected a multiple of "
                + $"{examples.Together}, the rows that belong together.");
        }

        (this.model, this.evaluator, this.settings, this.clock) =
            (model, evaluator, settings, clock ?? TimeProvider.System);
        int t = examples.Length;
        arena = new Arena(model.Backend, "training");
        model.PlanGradients(arena);
        long gradients = arena.Bytes;
        var (figures, sumSquares) = TrainingStep.PlanFigures(arena);
        long before = arena.Bytes;
        Optimizer = Optimizer.Create(model, model.Trained.All, settings, arena, sumSquares);
        OptimizerBytes = arena.Bytes - before;
        var stepState = new StepState(arena);
        var plan = new MemoryPlan(model, settings, examples, gradients, arena.Bytes - gradients);
        MicroBatch = plan.ChooseMicroBatch();
        activations =
            new Activations(arena, model.Config, MicroBatch, t, training: true, settings.Recompute, examples.IsPacked);
        plan.Allocate(arena, MicroBatch);

        step = new TrainingStep(model, examples, settings, activations, stepState, Optimizer, figures, objective);
    }

    /// <summary>Rows that go through the model at once: those of the settings, or as many as fit.</summary>
    public int MicroBatch { get; }

    /// <summary>The optimiser, whose state belongs into checkpoints.</summary>
    public Optimizer Optimizer { get; }

    /// <summary>The memory plan, for people.</summary>
    public string DescribeMemory() => arena.Describe();

    /// <summary>Bytes of the optimiser: its state, and what it computes in.</summary>
    public long OptimizerBytes { get; }

    /// <summary>Bytes of gradients, optimiser state and activations.</summary>
    public long Bytes => arena.Bytes;

    /// <summary>
    /// What the steps of all <see cref="Run"/>s showed together, where an objective works out their loss.
    /// </summary>
    public ObjectiveFigures? Seen { get; private set; }

    /// <summary>
    /// Trains from <paramref name="state"/> to the end of the schedule, or until it is to pause or stop.
    /// </summary>
    /// <exception cref="TinyLlmException">The loss became NaN or infinite; the step that found it so changed no
    /// weight.</exception>
    public TrainerResult Run(TrainerState state, ITrainerEvents events, CancellationToken stop = default)
    {
        int last = settings.StopAfter > 0 ? Math.Min(settings.Schedule.Steps, state.Step + settings.StopAfter)
            : settings.Schedule.Steps;
        long begun = clock.GetTimestamp(), saved = begun;
        var training = new Stopwatch();
        double secondsBefore = state.Seconds;
        long tokensLogged = state.Tokens;
        int checkpointed = state.Unreported is null ? state.Step : -1, started = state.Step;
        bool stopped = state.Unreported is not null && !Report();
        while (!stopped && (started > state.Step || (state.Step < last && !stop.IsCancellationRequested)))
        {
            training.Start();
            int ahead = model.Backend.IsAsynchronous && !IsTimeUp() && !IsLookedAt(state.Step + 1, last)
                ? TrainingStep.MaxInFlight : 1;
            StartSteps(ref started, state.Step, Math.Min(last, state.Step + ahead), stop);
            if (started == state.Step)
                break;
            float learningRate = settings.Schedule.At(state.Step);
            var (scored, loss, norm, seen) = step.Finish();
            training.Stop();
            CheckFinite($"Step {state.Step + 1}", loss, norm);
            state.Step++;
            state.Tokens += scored;
            state.Seconds = secondsBefore + clock.GetElapsedTime(begun).TotalSeconds;
            Seen = seen is { } figures ? figures + Seen.GetValueOrDefault() : Seen;
            double speed = (state.Tokens - tokensLogged) / training.Elapsed.TotalSeconds;
            events.Stepped(state.Step, loss, speed);

            if (IsEvaluated(state.Step) || state.Step == 1 || state.Step == settings.Schedule.Steps
                || IsDue(settings.LogEvery, state.Step))
            {
                state.Unreported = new StepReport(
                    state.Step, state.Tokens, loss, learningRate, norm, speed, state.Seconds,
                    null)
                { Preferences = seen?.Preferences, Rewards = seen?.Rewards };
                tokensLogged = state.Tokens;
                training.Reset();
            }

            stopped = !Report();
            bool bySteps = state.Step == settings.Schedule.Steps || IsDue(settings.CheckpointEvery, state.Step);

            // A step that was started early is finished first: till then the weights are not this step's. The end has
            // one anyway.
            if (!stopped && (bySteps || (started == state.Step && state.Step < last && IsTimeUp())))
            {
                Checkpoint(state, events, byTime: !bySteps);
                (checkpointed, saved) = (state.Step, clock.GetTimestamp()); // the time that it took does not count
            }
        }

        if (checkpointed != state.Step)
            Checkpoint(state, events, byTime: false);
        if (stopped)
            return TrainerResult.Interrupted;
        return state.Step == settings.Schedule.Steps ? TrainerResult.Finished
            : stop.IsCancellationRequested ? TrainerResult.Interrupted : TrainerResult.Paused;

        bool IsTimeUp() =>
            settings.CheckpointMinutes > 0 && clock.GetElapsedTime(saved).TotalMinutes >= settings.CheckpointMinutes;

        // What is due after a step; false where it was stopped before its evaluation was done.
        bool Report()
        {
            if (state.Unreported is { } report)
            {
                var evaluation = IsEvaluated(state.Step) ? evaluator!.Evaluate(model, activations, stop) : null;
                if (evaluation is null && IsEvaluated(state.Step))
                    return false;
                bool measured = evaluation is { IsMeasured: true };
                if (measured && !double.IsFinite(evaluation!.Loss))
                {
                    throw Diverged(
                        $"Step {state.Step}: the validation loss is {evaluation.Loss}; expected a finite number");
                }

                state.Unreported = null;
                state.Seconds = secondsBefore + clock.GetElapsedTime(begun).TotalSeconds;
                events.Log(report with { Seconds = state.Seconds, Evaluation = evaluation });
                if (measured && !(evaluation!.Loss >= state.BestLoss))
                {
                    state.BestLoss = evaluation.Loss;
                    events.Best(state);
                }
            }

            if (IsDue(settings.SampleEvery, state.Step))
                events.Sample(state.Step);
            return true;
        }
    }

    /// <summary>
    /// One optimiser step: forward and backward over its micro-batches, then the update. Returns the mean loss of its
    /// tokens.
    /// </summary>
    public double Step(TrainerState state, float learningRate)
    {
        step.Start(state.Step, learningRate);
        var figures = step.Finish();
        state.Tokens += figures.Scored;
        return figures.Loss;
    }

    // The next step and those that may be started before it is finished. A stop while a step's examples are made leaves
    // that step out: nothing of it has begun.
    private void StartSteps(ref int started, int next, int end, CancellationToken stop)
    {
        try
        {
            for (; started == next || (started < end && !stop.IsCancellationRequested); started++)
                step.Start(started, settings.Schedule.At(started));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
    }

    // True if an evaluation, sample or checkpoint reads the weights after this step; the next one must then not be
    // started early.
    private bool IsLookedAt(int steps, int last) =>
        steps == last || IsDue(settings.EvaluateEvery, steps) || IsDue(settings.SampleEvery, steps)
        || IsDue(settings.CheckpointEvery, steps);

    // The last update may be the one that broke the weights: before they replace a good checkpoint, the next step's
    // gradients must be finite.
    private void Checkpoint(TrainerState state, ITrainerEvents events, bool byTime)
    {
        if (step.Measure(state.Step) is { } next)
            CheckFinite($"After step {state.Step}", next.Loss, next.GradientNorm);
        events.Checkpoint(state, byTime);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        step.Dispose();
        arena.Dispose();
    }

    private bool IsEvaluated(int step) =>
        evaluator is not null && (step == settings.Schedule.Steps || IsDue(settings.EvaluateEvery, step));

    private static bool IsDue(int every, int step) => every > 0 && step % every == 0;

    private static void CheckFinite(string when, double loss, float norm)
    {
        if (!double.IsFinite(loss) || !float.IsFinite(norm))
            throw Diverged($"{when}: the loss is {loss} and the gradient's norm {norm}; expected finite numbers");
    }

    private static TinyLlmException Diverged(string fault) =>
        new($"{fault}. The run has stopped; checkpoints written before are good. Train anew with a lower --lr, a "
        + "longer --warmup or a smaller --clip.");
}
