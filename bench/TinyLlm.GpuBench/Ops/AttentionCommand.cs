using System.CommandLine;
using TinyLlm.Bench.Timing;

namespace TinyLlm.GpuBench.Ops;

/// <summary>One timed attention.</summary>
/// <param name="Op">forward or backward.</param>
/// <param name="Tflops">Of the products that the causal mask leaves.</param>
/// <param name="Error">Difference from double precision, relative in norm.</param>
internal sealed record AttentionResult(
    string Precision, string Op, int B, int T, int H, int Hkv, int D, double Milliseconds, double Tflops, double Spread,
    double? Error, bool Passed);

/// <summary><c>attention</c>: attention of training batches, checked and timed.</summary>
internal static class AttentionCommand
{
    public static Command Create()
    {
        var options = new BenchOptions();
        var direct = MatMulCommand.DirectOption();
        var command = new Command("attention", "Check and time causal attention, forward and backward.") { direct };
        options.AddTo(command);
        command.SetAction(parse => Run(parse, options, parse.GetValue(direct)));
        return command;
    }

    private static int Run(ParseResult parse, BenchOptions options, bool direct)
    {
        bool quick = options.Quick(parse);
        using var device = new OpsDevice(options.DeviceName(parse), quick, direct);
        var results = new Results(
            "attention", device.Backend.Description, options.Json(parse), "precision", "op", "B", "T", "H", "Hkv", "D",
            "ms", "TFLOP/s", "spread", "error");
        foreach (var shape in Sizes.Attention(quick).Where(s => device.Backend.Supports(Sizes.TypeOf(s.Precision))))
        {
            if (!results.Try($"{shape}", () => Measure(device, shape, results)))
                device.Reopen();
        }

        return results.ExitCode;
    }

    private static void Measure(OpsDevice device, AttentionShape shape, Results results)
    {
        int sets = device.Timer.Sets(AttentionCase.BytesPerSet(shape));
        using var attention = new AttentionCase(device.Backend, device.Noise, shape, sets);
        Add(results, shape, "forward", shape.ForwardFlops(), attention.CheckForward(),
            device.Timer.Measure(sets, attention.Forward));
        Add(results, shape, "backward", shape.BackwardFlops(), attention.CheckBackward(),
            device.Timer.Measure(sets, attention.Backward));
    }

    private static void Add(Results results, AttentionShape s, string op, double flops, double error, Sample time)
    {
        bool passed = error <= Tolerance.OfAttention(Sizes.TypeOf(s.Precision));
        double tflops = flops / time.Median / 1e12;
        results.Add(
            new AttentionResult(
                s.Precision, op, s.B, s.T, s.H, s.Hkv, s.D, time.Median * 1e3, tflops, time.Spread,
                double.IsFinite(error)
                ? error : null, passed), passed,
            s.Precision, op, $"{s.B}", $"{s.T}", $"{s.H}", $"{s.Hkv}", $"{s.D}", $"{time.Median * 1e3:F4}",
            $"{tflops:G4}", $"{time.Spread:P0}", passed ? $"{error:E1}" : $"**{error:E1}**");
    }
}
