using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Ops;

/// <summary>The three products of every linear layer of the presets.</summary>
internal static class MatMulTable
{
    // At least OpenBLAS's level, where it is found.
    private const double OpenBlasTarget = 1;

    /// <summary>Speeds in GFLOP/s; the peer is libtorch.</summary>
    private sealed record Result(
        string Model, string Layer, string Op, int M, int N, int K, double Ours, double OursSpread, double Peer,
        double PeerSpread, double Ratio, double? OpenBlas, double? OpenBlasRatio, double PeakGflops);

    public static void Print(OpsDevice device, ModelSize[] sizes, int rounds, ResultsFile results)
    {
        var table = new Table(
            "model", "layer", "product        ", "    M", "    N", "   K", "TinyLlm GFLOP/s", "of peak", "spread",
            "libtorch GFLOP/s", "spread", "ratio", "OpenBLAS GFLOP/s", "ratio");
        var all = new List<Result>();
        foreach (var size in sizes)
        {
            foreach (var (layer, n, k) in Layers(size))
            {
                using var products = new MatMulCase(device, size.Tokens, n, k);
                foreach (var contest in products.Check())
                {
                    var result = Measure(contest, size, layer, n, k, device.PeakGflops, rounds);
                    all.Add(result);
                    results.Add(result);
                    table.Add(result.Model, layer, contest.Op, $"{result.M}", $"{n}", $"{k}", $"{result.Ours:F1}",
                        $"{result.Ours / device.PeakGflops:P0}", $"{result.OursSpread:P0}",
                        $"{result.Peer:F1}", $"{result.PeerSpread:P0}", $"{result.Ratio:F2}", $"{result.OpenBlas:F1}",
                        $"{result.OpenBlasRatio:F2}");
                }
            }
        }

        Console.WriteLine();
        Summarise("libtorch", [.. all.Select(result => result.Ratio)], null);
        if (device.OpenBlas is not null)
            Summarise("OpenBLAS", [.. all.Select(result => result.OpenBlasRatio!.Value)], OpenBlasTarget);
        Console.WriteLine();
    }

    private static (string Name, int N, int K)[] Layers(ModelSize size)
    {
        int c = size.Width;
        return [("qkv", 3 * c, c), ("out", c, c), ("up", 4 * c, c), ("down", c, 4 * c), ("head", size.Vocabulary, c)];
    }

    private static Result Measure(Contest contest, ModelSize size, string layer, int n, int k, double peak, int rounds)
    {
        var (ours, theirs, openBlas) = contest.Measure(rounds);
        double gflop = contest.Flops / 1e9;
        return new Result(
            size.Name, layer, contest.Op, size.Tokens, n, k, gflop / ours.Median, ours.Spread, gflop / theirs.Median,
            theirs.Spread, ours.SpeedUpOver(theirs),
            gflop / openBlas?.Median, openBlas is null ? null : ours.SpeedUpOver(openBlas), peak);
    }

    private static void Summarise(string peer, double[] ratios, double? target)
    {
        Array.Sort(ratios);
        Console.WriteLine($"TinyLlm's speed over {peer}'s, {ratios.Length} products: smallest {ratios[0]:F2}, median "
            + $"{Figures.AtLeast(ratios[ratios.Length / 2], target)}, largest {ratios[^1]:F2}");
    }
}
