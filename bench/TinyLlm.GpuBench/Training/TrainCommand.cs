using System.CommandLine;
using TinyLlm.Data;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Training;

namespace TinyLlm.GpuBench.Training;

/// <summary>One timed training run.</summary>
/// <param name="MicroBatch">Rows that went through the model at once: all, where they fit.</param>
/// <param name="TokensPerSecond">From the median step.</param>
/// <param name="Mfu">Share of the card's dense bf16 peak that the model's arithmetic took; none where the peak is not
/// known, or in another precision.</param>
/// <param name="MemoryMiB">What the run took of the device's memory, scratch memory and compiled kernels
/// included.</param>
/// <param name="Loss">Of the last step; on random tokens it stays near the logarithm of the vocabulary.</param>
internal sealed record TrainResult(
    string Name, string Architecture, string Precision, int Batch, int MicroBatch, int Context, long Parameters,
    double TokensPerSecond, double Spread, double? Mfu, double MemoryMiB, double Loss, bool Passed);

/// <summary><c>train</c>: the presets' models on random tokens, through the real loop.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var options = new BenchOptions();
        var only = BenchOptions.OnlyOption("Models that are trained: tiny, small, base.");
        var steps = ShapesCommand.StepsOption();
        var precision = PrecisionOption();
        var command = new Command(
            "train", "Time training steps of the presets' models on random tokens.") { only, steps, precision };
        options.AddTo(command);
        command.SetAction(parse =>
        {
            var shapes = BenchOptions.Select(
                Sizes.Training(options.Quick(parse), parse.GetValue(steps)), s => s.Name, parse.GetValue(only)!);
            return Run(parse, options, shapes, parse.GetValue(precision)!);
        });
        return command;
    }

    /// <summary>--precision.</summary>
    public static Option<string> PrecisionOption()
    {
        var option = new Option<string>("--precision") { Description = "auto, fp32 or bf16; auto is what the device "
            + "trains in by itself.", DefaultValueFactory = _ => "auto" };
        option.AcceptOnlyFromAmong("auto", Sizes.Fp32, Sizes.Bf16);
        return option;
    }

    private static int Run(ParseResult parse, BenchOptions options, IReadOnlyList<TrainShape> shapes, string precision)
    {
        string device = options.DeviceName(parse);
        Results results;
        using (var backend = Backend.Create(device))
        {
            results = new Results("train", backend.Description, options.Json(parse),
                "model", "architecture", "precision", "B", "micro-batch", "T", "parameters", "tokens/s", "spread",
                "MFU", "MiB", "loss");
        }

        foreach (var shape in shapes)
        {
            results.Try($"{shape}", () =>
            {
                // A device of its own: what one run leaves in memory is not counted for the next.
                using var backend = Backend.Create(device);
                var r = Train(
                    backend, shape, precision == "auto" ? backend.PreferredComputeType : Sizes.TypeOf(precision));
                results.Add(
                    r, r.Passed, r.Name, r.Architecture, r.Precision, $"{r.Batch}", $"{r.MicroBatch}", $"{r.Context}",
                    $"{r.Parameters:N0}", $"{r.TokensPerSecond:N0}", $"{r.Spread:P0}",
                    r.Mfu is { } mfu ? $"{mfu:P1}" : "", $"{r.MemoryMiB:N0}", r.Passed ? $"{r.Loss:F3}"
                    : $"**{r.Loss:F3}**");
            });
        }

        return results.ExitCode;
    }

    private static TrainResult Train(Backend backend, TrainShape shape, DType type)
    {
        long free = backend.AvailableBytes;
        var config = GptConfig.Create(
            Enum.Parse<Architecture>(shape.Architecture, ignoreCase: true), shape.Layers, shape.Heads, shape.Width,
            shape.Context, shape.Vocabulary);
        using var model = new Gpt(config with { ComputeType = type }, backend);
        model.Initialize(1);
        var settings = new TrainerSettings
        {
            BatchSize = shape.Batch,
            Schedule = new Schedule(ScheduleKind.Cosine, 6e-4, 6e-5, 0, shape.WarmUp + shape.Steps),
        };
        using var trainer = new Trainer(model, RandomTokens(shape), evaluator: null, settings);
        var times = new StepTimes(shape.WarmUp);
        trainer.Run(new TrainerState(), times);
        backend.Synchronize();

        double speed = shape.Tokens / times.Seconds.Median, uniform = Math.Log(shape.Vocabulary);
        double? mfu = type == DType.BF16 && PeakFlops.Of(backend.Description) is { } peak
            ? speed * FlopsPerToken(config) / (peak * 1e12) : null;
        bool passed = Math.Abs(times.Loss - uniform) <= 1;
        return new TrainResult(
            shape.Name, shape.Architecture, type == DType.BF16 ? Sizes.Bf16
            : Sizes.Fp32, shape.Batch, trainer.MicroBatch, shape.Context, model.Parameters.Count, speed,
                times.Seconds.Spread,
            mfu, (free - backend.AvailableBytes) / 1048576.0, times.Loss, passed);
    }

    // As many windows as the steps take, so that no token is seen twice.
    private static Windows RandomTokens(TrainShape shape)
    {
        var random = new Random(1);
        int windows = (shape.WarmUp + shape.Steps + 1) * shape.Batch;
        var stream = new int[windows * shape.Context + 1];
        for (int i = 0; i < stream.Length; i++)
            stream[i] = random.Next(shape.Vocabulary);
        return new Windows(stream, shape.Context, keepRest: false, "random");
    }

    /// <summary>
    /// 6 for each weight of a matrix product (2 forward, 4 backward; A. Chowdhery et al., "PaLM", 2022, appendix B),
    /// and 12 D H T for each block's attention, of which the causal mask leaves half.
    /// </summary>
    private static double FlopsPerToken(GptConfig config)
    {
        double weights = config.MatrixWeights - (config.LearnedPositions ? (double)config.Context * config.Width : 0);
        return 6 * weights + 6.0 * config.Layers * config.Heads * config.HeadSize * config.Context;
    }
}
