using System.CommandLine;
using TinyLlm.Bench.Timing;
using TinyLlm.Kernels;

namespace TinyLlm.GpuBench.Ops;

/// <summary>One timed product.</summary>
/// <param name="Op">forward, backward input or backward weight.</param>
/// <param name="Error">Difference from double precision, relative in norm.</param>
internal sealed record MatMulResult(
    string Model, string Layer, string Precision, string Op, int M, int N, int K, double Milliseconds, double Tflops,
    double Spread, double? Error, bool Passed);

/// <summary><c>matmul</c>: the products of the presets' layers, checked and timed.</summary>
internal static class MatMulCommand
{
    public static Command Create()
    {
        var options = new BenchOptions();
        var only = BenchOptions.OnlyOption("Models whose products are timed: tiny, small, base, medium, square.");
        var direct = DirectOption();
        var command = new Command("matmul", "Check and time the matrix products of the presets.") { only, direct };
        options.AddTo(command);
        command.SetAction(parse => Run(parse, options, parse.GetValue(only)!, parse.GetValue(direct)));
        return command;
    }

    /// <summary>--direct.</summary>
    public static Option<bool> DirectOption() =>
        new("--direct") { Description = "Start each kernel from the host instead of recording them as one graph." };

    private static int Run(ParseResult parse, BenchOptions options, string only, bool direct)
    {
        bool quick = options.Quick(parse);
        var shapes = BenchOptions.Select(Sizes.Products(quick), s => s.Model, only);
        using var device = new OpsDevice(options.DeviceName(parse), quick, direct);
        var results = new Results(
            "matmul", device.Backend.Description, options.Json(parse), "model", "layer", "precision", "op", "M", "N",
            "K", "ms", "TFLOP/s", "spread", "error");
        foreach (var shape in shapes.Where(s => device.Backend.Supports(Sizes.TypeOf(s.Precision))))
        {
            if (!results.Try($"{shape}", () => Measure(device, shape, results)))
                device.Reopen();
        }

        return results.ExitCode;
    }

    private static void Measure(OpsDevice device, MatMulShape shape, Results results)
    {
        int sets = device.Timer.Sets(MatMulCase.BytesPerSet(shape));
        using var products = new MatMulCase(device.Backend, device.Noise, shape, sets);
        var dtype = Sizes.TypeOf(shape.Precision);
        Add(results, shape, "forward", dtype, products.CheckForward(), device.Timer.Measure(sets, products.Forward));
        products.StartBackward();
        Add(results, shape, "backward input", dtype, products.CheckBackwardInput(),
            device.Timer.Measure(sets, products.BackwardInput));
        Add(results, shape, "backward weight", DType.F32, products.CheckBackwardWeight(),
            device.Timer.Measure(sets, products.BackwardWeight));
    }

    private static void Add(Results results, MatMulShape s, string op, DType result, double error, Sample time)
    {
        bool passed = error <= Tolerance.OfProduct(result);
        double tflops = s.Flops() / time.Median / 1e12;
        results.Add(
            new MatMulResult(
                s.Model, s.Layer, s.Precision, op, s.M, s.N, s.K, time.Median * 1e3, tflops, time.Spread,
                double.IsFinite(error) ? error : null, passed), passed,
            s.Model, s.Layer, s.Precision, op, $"{s.M}", $"{s.N}", $"{s.K}", $"{time.Median * 1e3:F4}", $"{tflops:G4}",
            $"{time.Spread:P0}", passed ? $"{error:E1}" : $"**{error:E1}**");
    }
}
