using System.CommandLine;
using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;

namespace TinyLlm.Bench.Training;

/// <summary>
/// <c>train</c>: whole training steps (forward, backward, AdamW) of the presets as GPT-2, TinyLlm and libtorch in turn.
/// </summary>
internal static class TrainCommand
{
    // Long enough for a figure, short enough that a machine that slows down for a while slows both sides.
    private const double SecondsPerRound = 1;

    private const string Fused = "fused";

    public static Command Create()
    {
        var (models, threads, rounds) =
            (ModelSizes.Option("tiny", "small", "base"), CommonOptions.Threads(), CommonOptions.Rounds());
        var steps = CommonOptions.Positive<int?>(
            "--steps", "Steps of each side in a round; absent: as many as take about a second.");
        var peerAdamW = new Option<string>("--peer-adamw") { Description = "libtorch's AdamW: PyTorch's fused one, or "
            + "the one that TorchSharp offers, which is slower.", DefaultValueFactory = _ => Fused };
        peerAdamW.AcceptOnlyFromAmong(Fused, "torchsharp");
        var scaling = new Option<bool>("--scaling") { Description = "TinyLlm alone, on small: how a step's time goes "
            + "with threads, layers and context." };
        var json = ResultsFile.Option();
        var command = new Command(
            "train", "Time training steps of GPT-2s of the presets' sizes beside libtorch's, in turn.") { models,
            peerAdamW, scaling, steps, rounds, threads, json };
        command.SetAction(parse =>
        {
            var results = new ResultsFile(parse.GetValue(json));
            var (threadCount, roundCount, stepCount) =
                (parse.GetValue(threads), parse.GetValue(rounds), parse.GetValue(steps));
            if (parse.GetValue(scaling))
            {
                Scaling.Run(threadCount, roundCount, stepCount ?? 1, results);
                return;
            }

            Console.WriteLine($"fp32; spread: (slowest - fastest) / median; GFLOP/s: {TrainingFlops.Rule}");
            foreach (string model in parse.GetValue(models)!)
            {
                Run(ModelSize.Get(model), threadCount, parse.GetValue(peerAdamW) == Fused, roundCount, stepCount,
                    results);
            }
        });
        return command;
    }

    private static void Run(
        ModelSize size, int threads, bool fusedAdamW, int rounds, int? givenSteps, ResultsFile results)
    {
        Console.WriteLine($"\n{size.Name}: {size.Layers} layers, {size.Heads} heads, width {size.Width}, "
            + $"T={size.Context}, B={size.BatchSize}, V={size.Vocabulary}; TinyLlm with {threads} "
            + $"thread{(threads == 1 ? "" : "s")}");
        using var folder = new TemporaryFolder();
        var setup = new TraineeSetup(size, folder["model.safetensors"], threads, fusedAdamW);
        size.SaveInitialWeights(setup.Weights);
        var configuration = PeerConfiguration.Best(setup);

        using var ours = new TraineeProcess(TraineeCommand.Ours, setup);
        using var theirs = configuration.Start(setup);
        var duel = new TrainingDuel(ours, theirs);
        int steps = givenSteps ?? Math.Clamp((int)(SecondsPerRound / duel.WarmUp()), 1, 100);
        for (int round = 0; round < rounds; round++)
            duel.Round(steps);

        Console.WriteLine(
            $"medians of {rounds} rounds of {steps} steps each; libtorch with {configuration}, "
            + $"{(fusedAdamW ? "fused AdamW" : "TorchSharp's AdamW")}; losses of {duel.Losses.Steps} steps, from "
            + $"{duel.Losses.First:F3} to {duel.Losses.Last:F3}, "
            + $"at most {duel.Losses.Largest:E1} apart ({LossCheck.Rule})\n");
        var result = TrainResult.Of(size, duel, ours, theirs, configuration);
        result.Print(size.Tokens);
        results.Add(result);
    }
}
