using System.CommandLine;
using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;
using static TorchSharp.torch;

namespace TinyLlm.Bench.Ops;

/// <summary>
/// <c>ops</c>: the matrix products and the attention of the presets, TinyLlm, libtorch and, where it is found, OpenBLAS
/// in turn.
/// </summary>
internal static class OpsCommand
{
    public static Command Create()
    {
        var (models, threads, rounds) =
            (ModelSizes.Option("tiny", "small", "base"), CommonOptions.Threads(), CommonOptions.Rounds());
        var json = ResultsFile.Option();
        var command = new Command("ops", "Time the matrix products and the attention of the presets beside libtorch's "
            + "and OpenBLAS's, in turn.") { models, threads, rounds, json };
        command.SetAction(parse =>
        {
            NativeSetup.Prepare();
            ModelSize[] sizes = [.. parse.GetValue(models)!.Select(ModelSize.Get)];
            Run(sizes, parse.GetValue(threads), parse.GetValue(rounds), new ResultsFile(parse.GetValue(json)));
        });
        return command;
    }

    private static void Run(ModelSize[] sizes, int threads, int rounds, ResultsFile results)
    {
        using var device = new OpsDevice(threads);
        Console.WriteLine($"{device.Backend.Description}; libtorch {__version__}, {get_num_threads()} threads; "
            + $"{device.OpenBlas?.Description ?? "OpenBLAS: not found"}");
        Console.WriteLine($"FMA peak: {device.PeakGflops:F0} GFLOP/s; medians of {rounds} rounds; spread: (slowest - "
            + "fastest) / median; ratio: the other's time / TinyLlm's\n");
        MatMulTable.Print(device, sizes, rounds, results);
        AttentionTable.Print(device, sizes, rounds, results);
    }
}
