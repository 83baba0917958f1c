using System.Diagnostics;
using TinyLlm.Bench.Timing;
using TinyLlm.Training;

namespace TinyLlm.GpuBench.Training;

/// <summary>
/// Takes the time from each step to the next, once the warm-up is over. It keeps no checkpoint and no log.
/// </summary>
internal sealed class StepTimes(int warmUp) : ITrainerEvents
{
    private long last;

    /// <summary>Seconds of the steps.</summary>
    public Sample Seconds { get; } = new();

    /// <summary>Loss of the last step.</summary>
    public double Loss { get; private set; }

    public void Stepped(int step, double loss, double tokensPerSecond)
    {
        if (step > warmUp)
            Seconds.Add(Stopwatch.GetElapsedTime(last).TotalSeconds);
        last = Stopwatch.GetTimestamp();
        Loss = loss;
    }

    void ITrainerEvents.Log(StepReport report) { }

    void ITrainerEvents.Best(TrainerState state) { }

    void ITrainerEvents.Sample(int step) { }

    void ITrainerEvents.Checkpoint(TrainerState state, bool byTime) { }
}
