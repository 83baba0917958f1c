using System.CommandLine;
using TinyLlm.Bench.Goldens;
using TinyLlm.Bench.Peers;
using static TorchSharp.torch;

namespace TinyLlm.Bench.Timing;

/// <summary><c>train</c>: whole training steps (forward, backward, AdamW) of a preset, every trainee in turn.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var (threads, rounds) = (CommonOptions.Threads(), CommonOptions.Rounds());
        var steps = CommonOptions.Positive("--steps", 5, "Steps of each side in a round.");
        var batchSize = CommonOptions.Positive<int?>("--batch-size", "Rows of a batch; the preset's own when absent.");
        var vocabulary = CommonOptions.Positive<int?>("--vocab-size", "Vocabulary; the preset's own when absent.");
        var model = new Option<string>("--model") { Description = "The preset.", DefaultValueFactory = _ => "tiny" };
        model.AcceptOnlyFromAmong([.. ModelSize.All.Select(size => size.Name)]);
        var command = new Command("train", "Time training steps of a GPT-2 of the preset's size.") { model, batchSize, vocabulary, steps, rounds, threads };
        command.SetAction(result =>
        {
            var size = ModelSize.Get(result.GetValue(model)!);
            size = size with
            {
                BatchSize = result.GetValue(batchSize) ?? size.BatchSize,
                Vocabulary = result.GetValue(vocabulary) ?? size.Vocabulary,
            };
            Run(size, result.GetValue(threads), result.GetValue(rounds), result.GetValue(steps));
        });
        return command;
    }

    private static void Run(ModelSize size, int threads, int rounds, int steps)
    {
        set_num_threads(threads);
        Console.WriteLine($"{size.Name}: {size.Layers} layers, {size.Heads} heads, width {size.Width}, context {size.Context}, "
            + $"batch {size.BatchSize}, vocabulary {size.Vocabulary}; {threads} threads; medians of {rounds} rounds of {steps} steps");

        ITrainee[] trainees = [new TinyLlmGpt(size, threads), new TorchGpt(size)];
        var runs = trainees.Select(trainee => new TimedRun(trainee, size)).ToArray();
        foreach (var run in runs)
            run.WarmUp();
        for (int round = 0; round < rounds; round++)
            foreach (var run in runs)
                run.Measure(steps);

        foreach (var run in runs)
        {
            Console.WriteLine($"{run.Name,-10} {run.Seconds.Median * 1e3,10:F1} ms a step {size.Tokens / run.Seconds.Median,10:F0} tokens/s, spread {run.Seconds.Spread:P0}, "
                + $"{run.Seconds.SpeedUpOver(runs[^1].Seconds):F2} x {runs[^1].Name}; loss {run.FirstLoss:F3} to {run.LastLoss:F3}");
            if (!(run.LastLoss < run.FirstLoss))
                throw new InvalidOperationException($"{run.Name}: the loss did not fall, so this was no training.");
        }

        foreach (var trainee in trainees)
            trainee.Dispose();
    }

    /// <summary>A trainee, its batches and its times. Every trainee draws the same batches.</summary>
    private sealed class TimedRun(ITrainee trainee, ModelSize size)
    {
        private const int WarmUpSteps = 3;

        private readonly GoldenRandom random = new(7);
        private readonly int[] tokens = new int[size.Tokens], targets = new int[size.Tokens];

        public string Name => trainee.Name;

        public Sample Seconds { get; } = new();

        public float FirstLoss { get; private set; }

        public float LastLoss { get; private set; }

        public void WarmUp()
        {
            Step();
            FirstLoss = LastLoss;
            for (int i = 1; i < WarmUpSteps; i++)
                Step();
        }

        public void Measure(int steps) => Seconds.Measure(Step, steps);

        private void Step()
        {
            Draw();
            LastLoss = trainee.Step(tokens, targets);
        }

        // Each token is one of four that the one before allows: easy to learn, so that a falling loss shows that training works.
        private void Draw()
        {
            int token = 0;
            for (int i = 0; i < tokens.Length; i++)
            {
                if (i % size.Context == 0)
                    token = random.Next(size.Vocabulary);
                tokens[i] = token;
                token = (int)((3L * token + random.Next(4)) % size.Vocabulary);
                targets[i] = token;
            }
        }
    }
}
