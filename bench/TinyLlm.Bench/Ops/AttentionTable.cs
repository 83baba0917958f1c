using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Ops;

/// <summary>Attention of the presets, forward and backward.</summary>
internal static class AttentionTable
{
    private sealed record Result(
        string Model, string Op, int B, int H, int T, int D, double Ours, double OursSpread, double Peer,
        double PeerSpread, double Ratio);

    public static void Print(OpsDevice device, ModelSize[] sizes, int rounds, ResultsFile results)
    {
        var table = new Table(
            "model", "attention", " B", " H", "  T", " D", "TinyLlm GFLOP/s", "spread", "libtorch GFLOP/s", "spread",
            "ratio");
        foreach (var size in sizes)
        {
            int d = size.Width / size.Heads;
            using var attention = new AttentionCase(device, size.BatchSize, size.Context, size.Heads, d);
            foreach (var contest in attention.Check())
            {
                var (ours, theirs, _) = contest.Measure(rounds);
                double gflop = contest.Flops / 1e9;
                var result =
                    new Result(size.Name, "attention " + contest.Op, size.BatchSize, size.Heads, size.Context, d,
                    gflop / ours.Median, ours.Spread, gflop / theirs.Median, theirs.Spread, ours.SpeedUpOver(theirs));
                results.Add(result);
                table.Add(size.Name, contest.Op, $"{result.B}", $"{result.H}", $"{result.T}", $"{d}",
                    $"{result.Ours:F1}", $"{ours.Spread:P0}", $"{result.Peer:F1}", $"{theirs.Spread:P0}",
                    $"{result.Ratio:F2}");
            }
        }
    }
}
