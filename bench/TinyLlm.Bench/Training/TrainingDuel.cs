using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Training;

/// <summary>Two trainees that make the same steps in turn.</summary>
internal sealed class TrainingDuel(TraineeProcess ours, TraineeProcess theirs)
{
    private const int WarmUpSteps = 2;

    /// <summary>Seconds of our step, one value a round.</summary>
    public Sample Ours { get; } = new();

    /// <summary>Seconds of the other's step.</summary>
    public Sample Theirs { get; } = new();

    /// <summary>What both learned, compared.</summary>
    public LossCheck Losses { get; } = new();

    /// <summary>
    /// Makes the first steps, which are not measured, and returns the seconds that the slower side needs for one when
    /// nothing disturbs it.
    /// </summary>
    public double WarmUp()
    {
        for (int i = 0; i < WarmUpSteps; i++)
            Train(1);
        var (fastestOurs, fastestTheirs) = (double.PositiveInfinity, double.PositiveInfinity);
        for (int i = 0; i < WarmUpSteps; i++)
        {
            var (a, b) = Train(1);
            (fastestOurs, fastestTheirs) = (Math.Min(fastestOurs, a), Math.Min(fastestTheirs, b));
        }

        return Math.Max(fastestOurs, fastestTheirs);
    }

    /// <summary>
    /// A round: each side, once the other's threads sleep, makes one step that is not measured, so that caches and
    /// threads are its own, and <paramref name="steps"/> that are.
    /// </summary>
    public void Round(int steps)
    {
        Rest.UntilThreadsSleep();
        var (warmOurs, oursReply) = (ours.Train(1), ours.Train(steps));
        Rest.UntilThreadsSleep();
        var (warmTheirs, theirsReply) = (theirs.Train(1), theirs.Train(steps));
        Losses.Compare(warmOurs.Losses, warmTheirs.Losses);
        Losses.Compare(oursReply.Losses, theirsReply.Losses);
        Ours.Add(oursReply.Seconds / steps);
        Theirs.Add(theirsReply.Seconds / steps);
    }

    private (double Ours, double Theirs) Train(int steps)
    {
        var (a, b) = (ours.Train(steps), theirs.Train(steps));
        Losses.Compare(a.Losses, b.Losses);
        return (a.Seconds, b.Seconds);
    }
}
