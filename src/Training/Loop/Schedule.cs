
namespace TinyLlm.Training;

/// <summary>How the learning rate moves after the warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>Half a cosine from the learning rate down to the minimum.</summary>
    Cosine,

    /// <summary>
    /// Warm-up, stable, decay: constant, then a straight line to the minimum over the last part of the run.
    /// </summary>
    Wsd,

    /// <summary>A straight line from the learning rate down to the minimum.</summary>
    Linear,

    /// <summary>The learning rate unchanged.</summary>
    Constant,
}

/// <summary>
/// The learning rate as a pure function of the step: it has no state, so a resumed run takes the same values.
/// </summary>
/// <remarks>
/// With r = (step - warmup) / (steps - warmup): warm-up lr (step + 1) / (warmup + 1); cosine min + (lr - min) (1 +
/// cos(pi r)) / 2 (Loshchilov and Hutter 2016, without restarts); linear min + (lr - min) (1 - r); wsd (Hu et al. 2024)
/// lr, then the same line over the last <paramref name="DecayFraction"/> of all steps. From <paramref name="Steps"/> on
/// r is 1.
/// </remarks>
/// <param name="Kind">The shape after the warm-up.</param>
/// <param name="LearningRate">Highest learning rate, above 0.</param>
/// <param name="MinLearningRate">Learning rate at the end of the decay, 0 to <paramref name="LearningRate"/>.</param>
/// <param name="Warmup">Steps of the linear warm-up, fewer than <paramref name="Steps"/>.</param>
/// <param name="Steps">Optimiser steps of the run, at least 1.</param>
/// <param name="DecayFraction">Share of all steps that <see cref="ScheduleKind.Wsd"/> decays over, 0 to 1.</param>
public sealed record Schedule(
    ScheduleKind Kind, double LearningRate, double MinLearningRate, int Warmup, int Steps, double DecayFraction = 0.2)
{
    /// <summary>Checks the values.</summary>
    /// <exception cref="TinyLlmException">One is out of range; the line names its option.</exception>
    public Schedule Validate()
    {
        // Written so that NaN fails every check. The optimiser takes the rate as a float.
        if (!(LearningRate > 0 && float.IsFinite((float)LearningRate)))
        {
            throw new TinyLlmException(
                $"--lr is {NumberText.Exact(LearningRate)}; expected a number above 0, such as 3e-4.");
        }

        if (!(MinLearningRate >= 0 && MinLearningRate <= LearningRate))
        {
            throw new TinyLlmException($"--min-lr is {NumberText.Exact(MinLearningRate)}; "
                + $"expected 0 to the learning rate ({NumberText.Exact(LearningRate)}); lower it or raise --lr.");
        }

        if (Steps < 1)
            throw new TinyLlmException($"--steps is {Steps}; expected at least 1.");
        if (Warmup < 0 || Warmup >= Steps)
        {
            throw new TinyLlmException($"--warmup is {Warmup}; expected 0 to {Steps - 1}, fewer than --steps "
                + $"({Steps}); lower it or raise --steps.");
        }

        if (!(DecayFraction >= 0 && DecayFraction <= 1))
            throw new TinyLlmException($"The decay fraction of --schedule wsd is {DecayFraction}; expected 0 to 1.");
        return this;
    }

    /// <summary>The learning rate of optimiser step <paramref name="step"/>, counted from 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The step is negative.</exception>
    public float At(int step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (step < Warmup)
            return (float)(LearningRate * (step + 1) / (Warmup + 1));

        double share = Kind switch
        {
            ScheduleKind.Cosine => 0.5 * (1 + Math.Cos(Math.PI * Progress(step, Warmup))),
            ScheduleKind.Linear => 1 - Progress(step, Warmup),
            ScheduleKind.Wsd => 1 - Progress(step, DecayStart),
            ScheduleKind.Constant => 1,
            _ => throw new InvalidOperationException($"Schedule: {Kind} is no schedule."),
        };
        return (float)(share * LearningRate + (1 - share) * MinLearningRate); // exact at both ends
    }

    // The decay of wsd never reaches back into the warm-up.
    private int DecayStart => Math.Max(Warmup, Steps - (int)Math.Round(DecayFraction * Steps));

    // 0 up to the start, 1 from the last step on.
    private double Progress(int step, int start) =>
        step >= Steps ? 1 : step <= start ? 0 : (double)(step - start) / (Steps - start);
}
