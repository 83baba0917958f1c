using System.CommandLine;
using TinyLlm.Kernels;
using static TorchSharp.torch;

namespace TinyLlm.Bench.Timing;

/// <summary><c>ops</c>: the matrix products of the presets, TinyLlm and libtorch in turn.</summary>
internal static class OpsCommand
{
    // Long enough for the clock and the caches to settle, short enough for many rounds.
    private const double SecondsPerMeasurement = 0.05;

    public static Command Create()
    {
        var (threads, rounds) = (CommonOptions.Threads(), CommonOptions.Rounds());
        var models = new Option<string[]>("--model")
        {
            Description = "Presets whose shapes are timed.",
            DefaultValueFactory = _ => [.. ModelSize.All.Select(size => size.Name)],
            AllowMultipleArgumentsPerToken = true,
        };
        models.AcceptOnlyFromAmong([.. ModelSize.All.Select(size => size.Name)]);
        var command = new Command("ops", "Time the matrix products of the presets beside libtorch's, in turn.") { models, threads, rounds };
        command.SetAction(result =>
        {
            NativeSetup.Prepare();
            Run(result.GetValue(models)!, result.GetValue(threads), result.GetValue(rounds));
        });
        return command;
    }

    private static void Run(string[] models, int threads, int rounds)
    {
        set_num_threads(threads);
        using var backend = Backend.Create("cpu", threads);
        Console.WriteLine($"{backend.Description}; libtorch {__version__}, {get_num_threads()} threads; medians of {rounds} rounds; spread = (slowest - fastest) / median");
        Console.WriteLine($"{"preset",-6} {"layer",-5} {"op",-15} {"M",5} {"N",6} {"K",5} {"TinyLlm ms",11} {"GFLOP/s",8} {"spread",7} {"libtorch ms",12} {"GFLOP/s",8} {"spread",7} {"ratio",6}");
        var ratios = new List<double>();
        foreach (string model in models)
        {
            var size = ModelSize.Get(model);
            int c = size.Width;
            foreach (var (layer, n, k) in ((string, int, int)[])[("qkv", 3 * c, c), ("out", c, c), ("up", 4 * c, c), ("down", c, 4 * c), ("head", size.Vocabulary, c)])
            {
                using var products = new MatMulPair(backend, size.Tokens, n, k);
                foreach (var (op, ours, theirs) in products.Check())
                {
                    var (sample, peer) = Measure(ours, theirs, rounds);
                    double flops = 2.0 * size.Tokens * n * k, ratio = sample.SpeedUpOver(peer);
                    ratios.Add(ratio);
                    Console.WriteLine($"{model,-6} {layer,-5} {op,-15} {size.Tokens,5} {n,6} {k,5} {Columns(sample, flops, 11)} {Columns(peer, flops, 12)} {ratio,6:F2}");
                }
            }
        }

        ratios.Sort();
        Console.WriteLine($"ratio (libtorch's time / TinyLlm's) over {ratios.Count} products: smallest {ratios[0]:F2}, median {ratios[ratios.Count / 2]:F2}, largest {ratios[^1]:F2}");
    }

    private static string Columns(Sample sample, double flops, int width) =>
        $"{(sample.Median * 1e3).ToString("F3").PadLeft(width)} {flops / sample.Median / 1e9,8:F1} {sample.Spread,7:P0}";

    private static (Sample Ours, Sample Theirs) Measure(Action ours, Action theirs, int rounds)
    {
        var trial = new Sample();
        trial.Measure(ours, 1);
        int calls = Math.Clamp((int)(SecondsPerMeasurement / trial.Median), 1, 1000);
        var (sample, peer) = (new Sample(), new Sample());
        for (int round = 0; round < rounds; round++)
        {
            sample.Measure(ours, calls);
            peer.Measure(theirs, calls);
        }

        return (sample, peer);
    }
}
