using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Training;

/// <summary>
/// How TinyLlm's time for a step goes with threads, layers and context; all on the preset <c>small</c>.
/// </summary>
internal static class Scaling
{
    private const double ThreadsTarget = 1.8;
    private const int WarmUpSteps = 2;

    private static readonly ModelSize Preset = ModelSize.Get("small");

    /// <summary>One size's figures. <paramref name="Ours"/> is in tokens a second; there is no peer.</summary>
    private sealed record Result(
        string Model, string Varied, int Value, double Ours, double Milliseconds, double Spread);

    /// <summary>The speed with several threads beside that with one.</summary>
    private sealed record ThreadsResult(
        string Model, int Threads, double Ours, double Peer, double Ratio, double Target);

    public static void Run(int threads, int rounds, int steps, ResultsFile results)
    {
        Threads(threads, rounds, steps, results);
        Layers(threads, rounds, steps, results);
        Context(threads, rounds, steps, results);
    }

    private static void Threads(int threads, int rounds, int steps, ResultsFile results)
    {
        using var folder = new TemporaryFolder();
        using var many = Start(folder, Preset, threads);
        using var one = Start(folder, Preset, 1);
        var duel = new TrainingDuel(many, one);
        duel.WarmUp();
        for (int round = 0; round < rounds; round++)
            duel.Round(steps);

        var result = new ThreadsResult(
            Preset.Name, threads, Preset.Tokens / duel.Ours.Median, Preset.Tokens / duel.Theirs.Median,
            duel.Ours.SpeedUpOver(duel.Theirs), ThreadsTarget);
        Console.WriteLine(
            $"\nthreads: {result.Ours:F0} tokens/s with {threads}, {result.Peer:F0} with 1: "
            + $"{Figures.AtLeast(result.Ratio, ThreadsTarget)} times; "
            + $"losses of {duel.Losses.Steps} steps at most {duel.Losses.Largest:E1} apart\n");
        results.Add(result);
    }

    // A layer adds the same time, however many there are.
    private static void Layers(int threads, int rounds, int steps, ResultsFile results)
    {
        int[] layers = [3, 6, 12];
        var samples = Measure([.. layers.Select(l => Preset with { Layers = l })], threads, rounds, steps);
        var table = new Table("layers", "ms a step", "spread", "ms more for each layer more");
        for (int i = 0; i < layers.Length; i++)
        {
            var (ms, sample) = (samples[i].Median * 1e3, samples[i]);
            table.Add($"{layers[i]}", $"{ms:F1}", $"{sample.Spread:P0}", i == 0 ? ""
                : $"{(ms - samples[i - 1].Median * 1e3) / (layers[i] - layers[i - 1]):F1}");
            results.Add(new Result(Preset.Name, "layers", layers[i], Preset.Tokens / sample.Median, ms, sample.Spread));
        }

        Console.WriteLine();
    }

    // With the same number of tokens all but attention costs the same, and attention's cost is proportional to T.
    private static void Context(int threads, int rounds, int steps, ResultsFile results)
    {
        int[] contexts = [64, 128, 256, 512];
        ModelSize[] sizes = [.. contexts.Select(t => Preset with { Context = t, BatchSize = Preset.Tokens / t })];
        var samples = Measure(sizes, threads, rounds, steps);
        var table = new Table(
            "T  ", "B ", "ms a step", "spread", "attention's share of the arithmetic", "ms more for 64 positions more");
        for (int i = 0; i < sizes.Length; i++)
        {
            var (ms, sample) = (samples[i].Median * 1e3, samples[i]);
            table.Add($"{contexts[i]}", $"{sizes[i].BatchSize}", $"{ms:F1}", $"{sample.Spread:P0}",
                $"{TrainingFlops.AttentionShare(sizes[i]):P1}",
                i == 0 ? "" : $"{(ms - samples[i - 1].Median * 1e3) / (contexts[i] - contexts[i - 1]) * 64:F1}");
            results.Add(
                new Result(Preset.Name, "context", contexts[i], sizes[i].Tokens / sample.Median, ms, sample.Spread));
        }
    }

    // Seconds of a step of each size, in turn.
    private static Sample[] Measure(ModelSize[] sizes, int threads, int rounds, int steps)
    {
        using var folder = new TemporaryFolder();
        var trainees = new List<TraineeProcess>();
        try
        {
            foreach (var size in sizes)
            {
                trainees.Add(Start(folder, size, threads));
                trainees[^1].Train(WarmUpSteps);
            }

            Sample[] samples = [.. sizes.Select(_ => new Sample())];
            for (int round = 0; round < rounds; round++)
            {
                foreach (var (trainee, sample) in trainees.Zip(samples))
                {
                    trainee.Train(1);
                    sample.Add(trainee.Train(steps).Seconds / steps);
                }
            }

            return samples;
        }
        finally
        {
            trainees.ForEach(trainee => trainee.Dispose());
        }
    }

    private static TraineeProcess Start(TemporaryFolder folder, ModelSize size, int threads)
    {
        string weights = folder["model.safetensors"];
        size.SaveInitialWeights(weights);
        return new TraineeProcess(TraineeCommand.Ours, new TraineeSetup(size, weights, threads, FusedAdamW: false));
    }
}
