using System.CommandLine;
using TinyLlm.Bench.Peers;
using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;
using TinyLlm.Kernels;

namespace TinyLlm.Bench.Decoding;

/// <summary>
/// <c>decode</c>: generating one sample token by token, TinyLlm and libtorch with a cache in turn, beside the memory's
/// bandwidth.
/// </summary>
internal static class DecodeCommand
{
    private const int Context = 1024;

    // So that the likeliest token stands out, and both sides must compute the same to agree on it.
    private const float Widening = 5;

    public static Command Create()
    {
        var (models, threads, rounds) =
            (ModelSizes.Option("small", "base"), CommonOptions.Threads(), CommonOptions.Rounds());
        var tokens = CommonOptions.Positive("--tokens", 48, "Tokens of each generation.");
        var json = ResultsFile.Option();
        var command = new Command(
            "decode", "Time generation with GPT-2s of the presets' sizes beside libtorch's, in turn.") { models, tokens,
            rounds, threads, json };
        command.SetAction(parse =>
        {
            NativeSetup.Prepare();
            var results = new ResultsFile(parse.GetValue(json));
            foreach (string model in parse.GetValue(models)!)
            {
                Run(ModelSize.Get(model) with { Context = Context, BatchSize = 1 }, parse.GetValue(threads),
                    parse.GetValue(rounds), parse.GetValue(tokens), results);
            }
        });
        return command;
    }

    private static void Run(ModelSize size, int threads, int rounds, int tokens, ResultsFile results)
    {
        Console.WriteLine(
            $"\n{size.Name}: {size.Layers} layers, {size.Heads} heads, width {size.Width}, V={size.Vocabulary}, "
            + $"context {size.Context}; {threads} thread{(threads == 1 ? "" : "s")}; "
            + $"medians of {rounds} rounds of {tokens} tokens; spread: (slowest - fastest) / median");
        using var folder = new TemporaryFolder();
        string weights = folder["model.safetensors"];
        size.SaveInitialWeights(weights, Widening);
        using var ours = new TinyLlmDecoder(size, weights, threads, DType.F32);
        using var int8 = new TinyLlmDecoder(size, weights, threads, DType.I8);
        using var theirs = new TorchDecoder(size, weights, threads);
        using var bandwidth = new ReadBandwidth(threads);

        var contest = new DecodeContest(size.Vocabulary, tokens);
        contest.Check(ours, theirs);
        DecodeTimes oursTimes = new(), int8Times = new(), theirsTimes = new();
        for (int round = 0; round < rounds; round++)
        {
            bandwidth.Measure();
            contest.MeasureWithBatch(ours, oursTimes);
            contest.MeasureWithBatch(int8, int8Times);
            contest.Measure(theirs, theirsTimes);
            Rest.UntilThreadsSleep();
        }

        DecodeReport.Print(size.Name, bandwidth.Best, ours.BytesPerToken, oursTimes, int8Times, theirsTimes, results);
    }
}
