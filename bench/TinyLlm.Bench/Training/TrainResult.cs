using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Training;

/// <summary>One model's training speed beside the peer's.</summary>
/// <param name="Ours">Tokens a second, of the median round.</param>
/// <param name="Peer">The same of libtorch.</param>
/// <param name="Ratio">How many times faster ours was: the median of the rounds' own ratios.</param>
/// <param name="Target">What <paramref name="Ratio"/> should be.</param>
/// <param name="MemoryRatio">Our peak memory over libtorch's.</param>
/// <param name="LossDifference">The largest, in nats, of all steps.</param>
internal sealed record TrainResult(
    string Model, double Ours, double Peer, double Ratio, double? Target, double OursSpread, double PeerSpread,
    double OursGflops, double PeerGflops,
    double OursPeakMiB, double PeerPeakMiB, double MemoryRatio, string PeerConfiguration, int Steps,
    double LossDifference)
{
    private const double MemoryTarget = 0.5;

    public static TrainResult Of(
        ModelSize size, TrainingDuel duel, TraineeProcess ours, TraineeProcess theirs, PeerConfiguration configuration)
    {
        double flops = TrainingFlops.PerStep(size) / 1e9;
        double? target = size.Name switch { "tiny" => 1.5, "small" => 1.2, "base" => 1.3, _ => null };
        return new TrainResult(
            size.Name, size.Tokens / duel.Ours.Median, size.Tokens / duel.Theirs.Median,
            duel.Ours.SpeedUpOver(duel.Theirs), target,
            duel.Ours.Spread, duel.Theirs.Spread, flops / duel.Ours.Median, flops / duel.Theirs.Median,
            Figures.MiB(ours.PeakBytes), Figures.MiB(theirs.PeakBytes), (double)ours.PeakBytes / theirs.PeakBytes,
            $"{configuration}", duel.Losses.Steps, duel.Losses.Largest);
    }

    /// <summary>Writes the result for people.</summary>
    public void Print(int tokensPerStep)
    {
        var table = new Table($"{Model,-8}", "ms a step", "spread", "tokens/s", "GFLOP/s", "peak MiB");
        table.Add(TraineeCommand.Ours, $"{tokensPerStep / Ours * 1e3:F1}", $"{OursSpread:P0}", $"{Ours:F0}",
            $"{OursGflops:F1}", $"{OursPeakMiB:F0}");
        table.Add(TraineeCommand.Theirs, $"{tokensPerStep / Peer * 1e3:F1}", $"{PeerSpread:P0}", $"{Peer:F0}",
            $"{PeerGflops:F1}", $"{PeerPeakMiB:F0}");
        Console.WriteLine($"\nspeed: {Figures.AtLeast(Ratio, Target)} times libtorch's; peak memory: "
            + $"{Figures.AtMost(MemoryRatio, MemoryTarget)} of libtorch's");
    }
}
