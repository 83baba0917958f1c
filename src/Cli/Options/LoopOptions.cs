using System.CommandLine;
using System.CommandLine.Parsing;
using TinyLlm.Cli.Parsing;
using TinyLlm.Kernels;
using TinyLlm.Training;
using TinyLlm.Training.Optimizers;

namespace TinyLlm.Cli;

/// <summary>Defaults of the training loop that differ from stage to stage.</summary>
/// <param name="Steps">Optimiser steps.</param>
/// <param name="BatchSize">Rows of a batch.</param>
/// <param name="LearningRate">Highest learning rate.</param>
/// <param name="WeightDecay">Decoupled weight decay.</param>
/// <param name="Optimizer">The optimiser's name.</param>
/// <param name="Warmup">Steps of warm-up of a run of <paramref name="Steps"/>; none for a twentieth of all, at most
/// 100.</param>
/// <param name="Schedule">The schedule's name.</param>
/// <param name="EndShare">Learning rate at the end, as a share of the highest.</param>
internal sealed record LoopDefaults(
    int Steps, int BatchSize, double LearningRate, double WeightDecay, string Optimizer = LoopOptions.Muon,
    int? Warmup = null,
    string Schedule = "cosine", double EndShare = 0.1)
{
    /// <summary>
    /// Steps of warm-up of a run of this many steps: a shorter one warms up as much shorter, a longer one no longer.
    /// </summary>
    public int WarmupOf(int steps) =>
        Warmup is { } warmup ? (int)((long)warmup * Math.Clamp(steps, 0, Steps) / Steps) : Math.Min(100, steps / 20);
}

/// <summary>The options of the training loop, the same for every stage.</summary>
internal sealed class LoopOptions(LoopDefaults defaults)
{
    /// <summary>The option whose value a checkpoint keeps as it was chosen.</summary>
    public const string MicroBatchName = "--micro-batch";

    /// <summary>The optimisers' names.</summary>
    public const string Muon = "muon", AdamW = "adamw";

    // That of modded-nanogpt, for the same scaling of the updates.
    private const double DefaultMuonLearningRate = 0.025;

    /// <summary>The stage's defaults.</summary>
    public LoopDefaults Defaults => defaults;

    public readonly Option<string?> Out =
        Path<string?>("--out", "DIR", "Folder of the run; default: the next free runs/NAME-N.");
    public readonly Option<int> Steps = Number("--steps", $"Optimiser steps; default: {defaults.Steps}.");
    public readonly Option<int> BatchSize = Number("--batch-size", $"Rows of a batch; default: {defaults.BatchSize}.");
    public readonly Option<int> Accumulate =
        Number("--accumulate", "Batches of a step: it learns from batch-size x accumulate rows; default: 1.");
    public readonly Option<int> MicroBatch = Number(MicroBatchName, "Rows that go through the model at once, a "
        + "divisor of --batch-size; 0, the default: as many as fit into memory.");
    public readonly Option<bool> Recompute = new("--recompute")
    {
        Description = "Less memory, more time, the same "
            + "result: the backward pass computes each block's activations once more."
    };
    public readonly Option<double> LearningRate =
        Real("--lr", $"Highest learning rate; default: {NumberText.Short(defaults.LearningRate)}.");
    public readonly Option<string> Optimizer = Choice("--optimizer", "muon: the layers' matrices by Muon, the rest by "
        + "AdamW; adamw: all by AdamW. Default: muon, for adapters adamw.", AdamW, Muon);
    public readonly Option<double> MuonLearningRate = Real("--muon-lr", "Highest learning rate of the matrices with "
        + "--optimizer muon, which moves as that of the rest, --lr, does; default: "
        + $"{NumberText.Short(DefaultMuonLearningRate)}.");
    public readonly Option<double> MinLearningRate = Real("--min-lr", "Learning rate at the end of the schedule; "
        + $"default: {(defaults.EndShare == 0 ? "0" : $"{NumberText.Short(defaults.EndShare)} of --lr")}.");
    public readonly Option<int> Warmup =
        Number("--warmup", "Steps of linear warm-up; default: a twentieth of --steps, at most 100.");
    public readonly Option<string> Schedule = Choice("--schedule", "How the learning rate moves; default: "
        + $"{defaults.Schedule}.", "cosine", "wsd", "linear", "constant");
    public readonly Option<double> WeightDecay = Real("--weight-decay", "Decoupled weight decay of matrices and "
        + $"embeddings; default: {NumberText.Short(defaults.WeightDecay)}.");
    public readonly Option<double> Beta1 = Real("--beta1", "AdamW's beta1; default: 0.9.");
    public readonly Option<double> Beta2 = Real("--beta2", "AdamW's beta2; default: 0.99.");
    public readonly Option<double> Clip =
        Real("--clip", "Largest global norm of the gradients, 0: no clipping; default: 1.");
    public readonly Option<double> Dropout = Real("--dropout", "Dropout probability; default: 0.");
    public readonly DeviceOptions Device = new();
    public readonly Option<ulong> Seed =
        new("--seed") { HelpName = "N", Description = "Seed of weights, order and dropout; default: 1." };
    public readonly Option<int> EvaluateEvery =
        Number("--eval-every", "Steps between evaluations, 0: at the end only; default: a tenth of --steps.");
    public readonly Option<int> EvaluateBatches = Number(
        "--eval-batches", "Validation batches of an evaluation, the same every time; 0, the default: the whole split.");
    public readonly Option<int> SampleEvery =
        Number("--sample-every", "Steps between samples, 0: none; default: a fifth of --steps.");
    public readonly Option<int> CheckpointEvery =
        Number("--checkpoint-every", "Steps between checkpoints, 0: at the end only; default: a fifth of --steps.");
    public readonly Option<double> CheckpointMinutes = Real("--checkpoint-minutes",
        "Minutes after which a checkpoint is due whatever the step, 0: never; it goes when the next one is written. "
        + "Default: 5.");
    public readonly Option<int> Keep = Number("--keep", "How many checkpoints are kept; default: 1.");
    public readonly Option<int> StopAfter =
        Number("--stop-after", "Pause after N steps of this session; a --resume goes on with the same schedule.");
    public readonly Option<bool> Resume =
        new("--resume") { Description = "Go on with the run in --out from its last checkpoint." };
    public readonly Option<bool> Force = new("--force") { Description = "Replace a run that --out holds." };

    public void AddTo(Command command)
    {
        Option[] all = [Out, Steps, BatchSize, Accumulate, MicroBatch, Recompute, Optimizer, LearningRate,
            MuonLearningRate, MinLearningRate, Warmup, Schedule, WeightDecay, Beta1, Beta2, Clip, Dropout, Seed,
            EvaluateEvery, EvaluateBatches, SampleEvery, CheckpointEvery, CheckpointMinutes, Keep, StopAfter, Resume,
            Force];
        foreach (var option in all)
            command.Options.Add(option);
        Device.AddTo(command);
    }

    /// <summary>The settings that the options name.</summary>
    /// <param name="reader">The options' values.</param>
    /// <param name="recipe">Defaults in place of the stage's.</param>
    public TrainerSettings Read(OptionReader reader, LoopDefaults? recipe = null)
    {
        var defaults = recipe ?? Defaults;
        int steps = reader.Free(Steps, defaults.Steps);
        double rate = reader.Fixed(LearningRate, defaults.LearningRate);
        return new TrainerSettings
        {
            BatchSize = reader.Fixed(BatchSize, defaults.BatchSize),
            Accumulate = reader.Fixed(Accumulate, 1),
            MicroBatch = reader.Free(MicroBatch, 0),
            MicroBatchMayChange = !reader.IsGiven(MicroBatch),
            Recompute = reader.Free(Recompute, false),
            Schedule = new Schedule(
                Enum.Parse<ScheduleKind>(reader.Fixed(Schedule, defaults.Schedule), ignoreCase: true),
                rate,
                reader.Fixed(MinLearningRate, rate * defaults.EndShare),
                reader.Fixed(Warmup, defaults.WarmupOf(steps)),
                steps),
            Muon = ReadMuon(reader, defaults.Optimizer),
            AdamW = new AdamWSettings(
                (float)reader.Fixed(Beta1, 0.9),
                (float)reader.Fixed(Beta2, 0.99),
                1e-8f,
                (float)reader.Fixed(WeightDecay, defaults.WeightDecay),
                (float)reader.Fixed(Clip, 1)),
            Seed = reader.Fixed(Seed, 1UL),
            EvaluateEvery = reader.Free(EvaluateEvery, Math.Max(1, steps / 10)),
            SampleEvery = reader.Free(SampleEvery, Math.Max(1, steps / 5)),
            CheckpointEvery = reader.Free(CheckpointEvery, Math.Max(1, steps / 5)),
            CheckpointMinutes = reader.Free(CheckpointMinutes, 5.0),
            Keep = reader.Free(Keep, 1),
            StopAfter = reader.IsGiven(StopAfter) ? reader.Free(StopAfter, 0) : 0,
        };
    }

    // A run that says nothing of its optimiser was begun when there was AdamW alone.
    private MuonSettings? ReadMuon(OptionReader reader, string absent)
    {
        if (reader.Fixed(Optimizer, reader.IsResume ? AdamW : absent) == Muon)
            return new MuonSettings(reader.Fixed(MuonLearningRate, DefaultMuonLearningRate));
        if (reader.IsGiven(MuonLearningRate))
        {
            throw new TinyLlmException("--muon-lr: the run is trained by AdamW alone, whose learning rate is --lr; "
                + "expected --optimizer muon with it.");
        }

        return null;
    }

    public static Option<int> Number(string name, string description) =>
        new(name) { HelpName = "N", Description = description };

    public static Option<double> Real(string name, string description) =>
        new(name) { HelpName = "X", Description = description };

    /// <summary>An option whose value is a person's text: anything at all.</summary>
    public static Option<string?> Text(string name, string help, string description) =>
        new TextOption<string?>(name) { HelpName = help, Description = description };

    /// <summary>An option that names a file, a folder or a corpus: not nothing.</summary>
    public static Option<T> Path<T>(string name, string help, string description, bool required = false)
    {
        var option = new Option<T>(name) { HelpName = help, Description = description, Required = required };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => token.Value.Length == 0))
                result.AddError($"Option '{name}' is empty; expected {help}.");
            if (result.Tokens.FirstOrDefault(token => IsOption(result, token.Value)) is { } taken)
            {
                result.AddError(
                    $"Option '{name}' has no value: {taken.Value} is an option; expected {help} behind {name}.");
            }
        });
        return option;
    }

    // The parser takes the next word for the value, whatever it is: --out --resume would write a folder --resume.
    private static bool IsOption(OptionResult result, string word) =>
        word.StartsWith('-') && result.Parent is CommandResult { Command: var command }
            && command.Options.Any(o => o.Name == word || o.Aliases.Contains(word));

    public static Option<string> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string>(name) { Description = description };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
