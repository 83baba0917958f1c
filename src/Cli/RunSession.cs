using System.Globalization;
using System.Text;
using TinyLlm.Data;
using TinyLlm.Model;
using TinyLlm.Tokenizers;
using TinyLlm.Training;
using TinyLlm.Training.Rewards;

namespace TinyLlm.Cli;

/// <summary>What a stage brings to the loop.</summary>
/// <param name="Name">pretrain or finetune.</param>
/// <param name="Model">The model, its weights initialised or loaded.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Train">What to learn from.</param>
/// <param name="Validation">What to be measured on.</param>
/// <param name="SamplePrompt">What samples begin with.</param>
/// <param name="RunName">What the folder of its run is called where --out does not say.</param>
/// <param name="Evaluator">How to measure; none for the loss of <paramref name="Validation"/>.</param>
/// <param name="Objective">The loss, where it is not the mean over all scored tokens.</param>
/// <param name="Headings">What the first lines say of the data; shown once nothing can refuse the run any more.</param>
internal sealed record Stage(
    string Name, Gpt Model, Tokenizer Tokenizer, IExamples Train, IExamples Validation, int[] SamplePrompt,
    string RunName, IReadOnlyList<(string Name, string Text)> Headings,
    IEvaluator? Evaluator = null, IObjective? Objective = null);

/// <summary>One session of a run: sets the loop up, and writes and shows what it tells.</summary>
internal sealed class RunSession : ITrainerEvents, IDisposable
{
    private const int SampleTokens = 80;

    private readonly Stage stage;
    private readonly TrainerSettings settings;
    private readonly RunFolder run;
    private readonly ProgressView view = new();
    private readonly Dictionary<string, string> options;
    private readonly ResumePoint start;
    private readonly string dataHash;
    private readonly Measure measure;
    private readonly Trainer trainer;
    private readonly RewardWatch? rewards;
    private readonly Generator generator;
    private RunLog? log;

    public RunSession(
        Stage stage, TrainerSettings settings, int evaluateBatches, ResumePoint start,
        Dictionary<string, string> options)
    {
        (this.stage, this.settings, this.start, this.options) = (stage, settings, start, options);
        dataHash = DataHash.Of(stage.Train, stage.Validation);
        // Before the trainer, which fills what is left.
        generator = new Generator(stage.Model, length: stage.SamplePrompt.Length + SampleTokens);
        var evaluator = stage.Evaluator
            ?? new Evaluator(stage.Validation, stage.Tokenizer, settings.BatchSize, evaluateBatches);
        measure = evaluator.Measure;
        trainer = new Trainer(stage.Model, stage.Train, evaluator, settings, stage.Objective);
        rewards = stage.Train is Rollouts answers ? new RewardWatch(answers.Settings) : null;
        options[LoopOptions.MicroBatchName] = (trainer.MicroBatch / stage.Train.Together)
            .ToString(CultureInfo.InvariantCulture);
        CheckStart();
        run = start.Open(stage.RunName);
        ShowHeadings();
    }

    /// <summary>Trains; from the run's last checkpoint where there is one. Returns the exit code.</summary>
    public int Train(CancellationToken stop)
    {
        var state = start.Saved?.State ?? new TrainerState();
        if (start.Checkpoint is not null)
        {
            TinyLlm.Training.Checkpoint.Load(start.Checkpoint, stage.Model, trainer.Optimizer);
            view.Line($"Resuming at step {state.Step} of {settings.Schedule.Steps}.");
        }

        using (log = start.Checkpoint is null ? RunLog.Create(run.MetricsFile)
            : RunLog.Resume(run.MetricsFile, state.Step))
        {
            var result = view.Run(state.Step, settings.Schedule.Steps, () => trainer.Run(state, this, stop));
            return Finish(result, state);
        }
    }

    void ITrainerEvents.Stepped(int step, double loss, double tokensPerSecond) =>
        view.Stepped(step, loss, tokensPerSecond);

    void ITrainerEvents.Log(StepReport report)
    {
        log!.Append(new RunLogEntry
        {
            Step = report.Step,
            Tokens = report.Tokens,
            TrainLoss = report.Loss,
            ValLoss = report.Evaluation is { Rewards: null } measured ? measured.Loss : null,
            ValBitsPerByte = report.Evaluation is { Preferences: null, Rewards: null } text ? text.BitsPerByte : null,
            RewardMargin = report.Preferences is { } p ? p.Margin / p.Pairs : null,
            RewardAccuracy = report.Preferences is { } q ? (double)q.Right / q.Pairs : null,
            ValRewardMargin = report.Evaluation?.Preferences is { } v ? v.Margin / v.Pairs : null,
            ValRewardAccuracy = report.Evaluation?.Preferences is { } w ? (double)w.Right / w.Pairs : null,
            Reward = report.Rewards is { } r ? r.Mean : null,
            Truncated = report.Rewards is { } cut ? (double)cut.Truncated / cut.Samples : null,
            ValReward = report.Evaluation?.Rewards is { } earned ? earned.Mean : null,
            LearningRate = report.LearningRate,
            GradNorm = report.GradientNorm,
            TokensPerSecond = report.TokensPerSecond,
            Seconds = report.Seconds,
        });
        if (report.Evaluation is not null)
            view.Evaluated(report);
        if (report.Rewards is { Truncated: > 0 } some && report.Evaluation is not null)
        {
            view.Line($"Of the step's {some.Samples} answers {some.Truncated} were longer than --max-tokens: nothing "
                + "is learned from them.");
        }

        if (report.Rewards is { } step && rewards?.Warning(step) is { } warning)
            view.Line(warning);
    }

    void ITrainerEvents.Best(TrainerState state) => run.SaveBest(stage.Model, stage.Tokenizer, File(state));

    void ITrainerEvents.Sample(int step)
    {
        var sampler = new Sampler(
            new SamplerSettings { Temperature = 0.8f, TopP = 0.95f }, settings.Seed + (ulong)step,
            stage.Model.Config.VocabularySize);
        var bytes = new List<byte>();
        generator.Generate(stage.SamplePrompt, SampleTokens, sampler, token =>
        {
            if (stage.Tokenizer.EndsText(token))
                return false;
            bytes.AddRange(stage.Tokenizer.TokenBytes(token));
            return true;
        });
        view.Sample(step, Encoding.UTF8.GetString([.. bytes]));
    }

    // Those by time do not take the place of those by step.
    void ITrainerEvents.Checkpoint(TrainerState state, bool byTime) =>
        run.Save(stage.Model, stage.Tokenizer, trainer.Optimizer,
            File(state) with { Interim = byTime && settings.CheckpointEvery > 0 }, settings.Keep);

    public void Dispose()
    {
        generator.Dispose();
        trainer.Dispose();
        run.Dispose();
    }

    private void ShowHeadings()
    {
        foreach (var (name, text) in stage.Headings)
            view.Heading(name, text);
        var config = stage.Model.Config;
        view.Heading("model", $"{config.Architecture.ToString().ToLowerInvariant()}: {config.Layers} layers, "
            + $"{config.Heads} heads, width {config.Width}, context {config.Context}, " +
            $"vocabulary {config.VocabularySize}; {stage.Model.Parameters.Count:N0} parameters");
        if (stage.Model.Adapter is { } adapter)
        {
            view.Heading("adapters", $"rank {adapter.Settings.Rank}, alpha {adapter.Settings.Alpha}, of "
                + $"{string.Join(", ", adapter.Settings.Targets)}: {adapter.Parameters.Count:N0} parameters are "
                + "trained");
        }

        view.Heading("memory", DescribeMemory());
        view.Heading("device", stage.Model.Backend.Description);
        view.Heading("run", run.Root);
        if (settings.MicroBatch > 0 && settings.MicroBatch != trainer.MicroBatch)
        {
            view.Line($"--micro-batch {settings.MicroBatch}, which the run had, does not fit into memory any more: it "
                + $"goes on with {trainer.MicroBatch}, whose results may differ in their last bits.");
        }
    }

    private string DescribeMemory()
    {
        string rows = trainer.MicroBatch < settings.BatchSize
            ? $"; {trainer.MicroBatch} of {settings.BatchSize} rows at a time" : "";
        string recompute = settings.Recompute ? "; activations are computed twice" : "";
        return $"{trainer.Bytes / 1048576.0:F0} MiB for gradients, optimiser ({trainer.OptimizerBytes / 1048576.0:F1} "
            + $"MiB) and activations{rows}{recompute}";
    }

    private TrainerFile File(TrainerState state) =>
        new() { Stage = stage.Name, State = state, Options = options, DataHash = dataHash, Measure = measure };

    // What a resume cannot change although no option names it.
    private void CheckStart()
    {
        if (start.Saved is not { } saved)
            return;
        if (saved.DataHash != dataHash)
        {
            throw new TinyLlmException($"--resume: the data is not what the run in {start.Folder} was trained on; "
                + "restore it or begin a new run.");
        }

        if (saved.State.Step > settings.Schedule.Steps)
        {
            throw new TinyLlmException($"--steps {settings.Schedule.Steps}: the run in {start.Folder} has done "
                + $"{saved.State.Step} already; expected as many or more.");
        }
    }

    private int Finish(TrainerResult result, TrainerState state)
    {
        string best = state.BestLoss is { } loss ? $", {measure.DescribeBest(loss)}" : "";
        string resume = $"{Launcher.Command} {stage.Name} --out {Shell.Quote(run.Root)} --resume";
        if (result == TrainerResult.Interrupted)
        {
            view.Line(run.LatestCheckpoint() is null
                ? "Interrupted before the first step: there is no checkpoint."
                : $"Interrupted after step {state.Step}; the checkpoint is written. Go on with: {resume}");
            return ExitCode.Interrupted;
        }

        if (result == TrainerResult.Paused)
        {
            Console.WriteLine(
                $"Paused after step {state.Step} of {settings.Schedule.Steps}{best}. Go on with: {resume}");
            return CheckLearned(state);
        }

        Console.WriteLine(
            $"Done: {state.Step} steps, {state.Tokens:N0} tokens in {ProgressView.Time(state.Seconds)}{best}.");
        string bestFolder = state.BestLoss is null ? "" : $" and {run.BestFolder} ({measure.DescribeBest()})";
        Console.WriteLine($"The model is in {run.Root} (latest weights){bestFolder}.");
        Console.WriteLine("Try next:");
        foreach (string command in NextSteps.After(stage.Name, stage.Model, stage.Tokenizer, Shell.Quote(run.Root)))
            Console.WriteLine($"  {Launcher.Command} {command}");
        return CheckLearned(state);
    }

    // All files are written and the summary is shown: what may be refused is that the run counts as done.
    private int CheckLearned(TrainerState state)
    {
        if (rewards?.Judge(trainer.Seen?.Rewards ?? default, learnedBefore: state.Tokens > 0) is { } line)
            view.Line(line);
        return ExitCode.Done;
    }
}
