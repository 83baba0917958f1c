using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Reporting;

namespace TinyLlm.Bench.Training;

/// <summary>What can be set to make libtorch faster.</summary>
/// <param name="Threads">Threads that compute.</param>
/// <param name="Allocator">How memory is allocated.</param>
internal sealed record PeerConfiguration(int Threads, Allocator Allocator)
{
    private const int WarmUpSteps = 2, Rounds = 3;
    private const double SecondsPerRound = 0.4;

    // Where a step takes less, threads may wait for each other longer than they work.
    private const double ShortStep = 0.2;

    /// <summary>
    /// Tries libtorch briefly with every setting that may be its best, and returns the fastest; a line for each goes to
    /// standard output.
    /// </summary>
    public static PeerConfiguration Best(TraineeSetup setup)
    {
        var (best, seconds) = Fastest(
            setup, [.. ((Allocator[])[Allocator.TunedHugePages, Allocator.Tuned, Allocator.AsItIs])
            .Select(allocator => new PeerConfiguration(setup.Threads, allocator))]);
        if (setup.Threads == 1 || seconds > ShortStep)
            return best;
        var (alone, aloneSeconds) = Fastest(setup, best with { Threads = 1 });
        return aloneSeconds < seconds ? alone : best;
    }

    /// <summary>Starts libtorch's side with these settings.</summary>
    public TraineeProcess Start(TraineeSetup setup) =>
        new(TraineeCommand.Theirs, setup with { Threads = Threads }, Allocator.Variables);

    public override string ToString() => $"{Threads} thread{(Threads == 1 ? "" : "s")}, {Allocator.Name}";

    private static (PeerConfiguration Configuration, double Seconds) Fastest(
        TraineeSetup setup, params PeerConfiguration[] configurations) =>
        configurations.Select(configuration => (configuration, configuration.Try(setup))).MinBy(tried => tried.Item2);

    private double Try(TraineeSetup setup)
    {
        using var trainee = Start(setup);
        int steps = Math.Clamp((int)(SecondsPerRound * WarmUpSteps / trainee.Train(WarmUpSteps).Seconds), 2, 50);
        double fastest = Enumerable.Range(0, Rounds).Min(_ => trainee.Train(steps).Seconds / steps);
        Console.WriteLine($"libtorch tried with {this}: {fastest * 1e3:F1} ms a step at best, peak memory "
            + $"{Figures.MiB(trainee.PeakBytes):F0} MiB");
        return fastest;
    }
}
