using TinyLlm.Bench.Reporting;

namespace TinyLlm.Bench.Training;

/// <summary>What can be set to make libtorch faster.</summary>
/// <param name="Threads">Threads that compute.</param>
/// <param name="TunedMalloc">Whether glibc keeps what is freed (see <see cref="NativeSetup"/>).</param>
internal sealed record PeerConfiguration(int Threads, bool TunedMalloc)
{
    private const int WarmUpSteps = 2, Rounds = 3;
    private const double SecondsPerRound = 0.4;

    // Where a step takes less, threads may wait for each other longer than they work.
    private const double ShortStep = 0.2;

    /// <summary>Tries libtorch briefly with every setting that may be its best, and returns the fastest; a line for each goes to standard output.</summary>
    public static PeerConfiguration Best(TraineeSetup setup)
    {
        var best = new PeerConfiguration(setup.Threads, TunedMalloc: true);
        double seconds = best.Try(setup);
        List<PeerConfiguration> others = [best with { TunedMalloc = false }];
        if (setup.Threads > 1 && seconds < ShortStep)
            others.Add(best with { Threads = 1 });
        foreach (var other in others)
        {
            double otherSeconds = other.Try(setup);
            if (otherSeconds < seconds)
                (best, seconds) = (other, otherSeconds);
        }

        return best;
    }

    /// <summary>Starts libtorch's side with these settings.</summary>
    public TraineeProcess Start(TraineeSetup setup) =>
        new(TraineeCommand.Theirs, setup with { Threads = Threads }, TunedMalloc ? NativeSetup.Tunables : []);

    public override string ToString() => $"{Threads} thread{(Threads == 1 ? "" : "s")}, {(TunedMalloc ? "tuned malloc" : "malloc as it is")}";

    private double Try(TraineeSetup setup)
    {
        using var trainee = Start(setup);
        int steps = Math.Clamp((int)(SecondsPerRound * WarmUpSteps / trainee.Train(WarmUpSteps).Seconds), 2, 50);
        double fastest = Enumerable.Range(0, Rounds).Min(_ => trainee.Train(steps).Seconds / steps);
        Console.WriteLine($"libtorch tried with {this}: {fastest * 1e3:F1} ms a step at best, peak memory {Figures.MiB(trainee.PeakBytes):F0} MiB");
        return fastest;
    }
}
