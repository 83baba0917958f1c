using System.CommandLine;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Model;
using TinyLlm.Tokenizers;
using TinyLlm.Training.Preferences;

namespace TinyLlm.Cli.Commands;

/// <summary>
/// <c>tinyllm finetune</c>: teaches a pretrained model to answer, from conversations or from comparisons of answers.
/// </summary>
internal static class FinetuneCommand
{
    private const string Builtin = "builtin:questions", Sft = "sft", Dpo = "dpo", Grpo = "grpo";

    private static readonly LoopDefaults Defaults =
        new(Steps: 1000, BatchSize: 32, LearningRate: 3e-3, WeightDecay: 0.1);

    private static readonly Option<string?> ModelOption =
        LoopOptions.Path<string?>("--model", "DIR", "Model folder to begin with.");
    private static readonly Option<string[]> Data = LoopOptions.Path<string[]>("--data", "PATH",
        "Rows: a file, a folder or a glob (.jsonl, .json or .parquet, also .gz or .zst), repeatable: conversations or "
            + "builtin:questions, the default; for dpo {\"prompt\", \"chosen\", \"rejected\"}.");
    private static readonly Option<string?> Validation =
        LoopOptions.Path<string?>("--val-data", "PATH", "Validation rows; default: the last tenth of the data.");
    private static readonly Option<string> Method = LoopOptions.Choice("--method",
        "sft: conversations, of which the assistant's words are learned. dpo: comparisons of two answers; the "
        + $"defaults are then {DpoStage.Defaults.Steps} steps of {DpoStage.Defaults.BatchSize} comparisons, AdamW at "
        + "2e-4, no decay. grpo: the model's own answers to the prompts of conversations, by their reward; the "
        + $"defaults are {GrpoStage.Defaults.Steps} steps of {GrpoStage.Defaults.BatchSize} prompts, AdamW at 2e-4, "
        + "no decay. Default: sft.", Sft, Dpo, Grpo);

    private static readonly Option<bool> Packing = new("--packing")
    {
        Description = "Conversations share rows as long "
            + "as the model's context; none sees another. More is learned in a step, and less of it is padding."
    };
    private static readonly Option<int> ShowMask = LoopOptions.Number(
        "--show-mask", "Show N training examples with what is learned of them, and do nothing else.");
    private static readonly Option<double> Beta = LoopOptions.Real("--dpo-beta", "DPO beta: how strongly to hold the "
        + "model to the reference model; higher stays closer (default: 0.1).");
    private static readonly Option<double> LabelSmoothing =
        LoopOptions.Real("--label-smoothing", "Chance that a preference pair is the wrong way round (default: 0).");
    private static readonly Option<string> Loss = LoopOptions.Choice("--dpo-loss", "Loss of a preference pair; "
        + "sigmoid-norm and ipo take means over an answer's tokens. Default: sigmoid.", "sigmoid", "sigmoid-norm",
        "ipo");
    private static readonly LoraOptions Lora = new();
    private static readonly RewardOptions Rewards = new();

    public static Command Create()
    {
        var loop = new LoopOptions(Defaults);
        var command =
            new Command("finetune", "Teach a model to answer, from conversations or from comparisons of answers.")
        {
            ModelOption, Data, Validation, Method, Packing, ShowMask, Beta, LabelSmoothing, Loss,
        };
        Rewards.AddTo(command);
        Lora.AddTo(command);
        loop.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, loop, stop)));
        return command;
    }

    private static int Run(ParseResult parse, LoopOptions loop, CancellationToken stop)
    {
        if (parse.GetValue(ShowMask) is var shown and not 0)
            return Show(parse, shown, stop);
        using var start = ResumePoint.Find(parse, loop, "finetune");
        var reader = new OptionReader(parse, start.Saved?.Options);
        string source = reader.Fixed(ModelOption, null)
            ?? throw new TinyLlmException("finetune: expected --model DIR, the folder of a pretrained model.");
        string method = reader.Fixed(Method, Sft);
        bool dpo = method == Dpo, grpo = method == Grpo;
        string[] words = reader.Fixed(Data, dpo ? [] : [Builtin]);
        string[] heldWords = reader.Fixed(Validation, null) is { } held ? [held] : [];
        SpooledInput.TakeAll([.. words, .. heldWords], stop);
        string[] sources = RowFiles.Expand(words), validation = RowFiles.Expand(heldWords, Validation.Name);
        bool packed = reader.Fixed(Packing, false);
        var preferences = ReadPreferences(reader, dpo);
        if (dpo && sources.Length == 0)
        {
            throw new TinyLlmException("--method dpo: expected --data FILE, comparisons as {\"prompt\", \"chosen\", "
                + "\"rejected\"}; tinyllm chat writes some with /compare.");
        }

        if (packed && method != Sft)
            throw new TinyLlmException($"--packing: rows of {method} are not packed; expected --method sft with it.");
        var rewards = Rewards.Read(reader, grpo);
        var lora = Lora.Read(reader, source);
        var defaults = dpo ? DpoStage.Defaults : grpo ? GrpoStage.Defaults : lora is null ? Defaults
            : Defaults with { Optimizer = LoopOptions.AdamW };
        var settings = loop.Read(reader, defaults);
        settings.Validate();
        int rowsEach = dpo ? 2 : rewards?.Group ?? 1; // of a comparison, of a prompt
        settings = settings with
        {
            BatchSize = rowsEach * settings.BatchSize,
            MicroBatch = rowsEach * settings.MicroBatch
        };
        float dropout = (float)reader.Fixed(loop.Dropout, 0.0);
        int evaluateBatches = reader.Free(loop.EvaluateBatches, 0);
        var openDevice = loop.Device.Read(reader);
        reader.CheckResume();

        using var device = openDevice();
        var (gpt, tokenizer) = ModelFolder.Load(
            start.Checkpoint ?? source, device.Backend, device.ComputeType, dropout, lora: start.Checkpoint is null
            ? lora : null, keepAdapter: lora is not null,
            note: Notes.Show);
        using var owner = gpt;
        tokenizer.LearnsToChat();
        if (lora is not null && start.Checkpoint is null)
            gpt.InitializeAdapter(settings.Seed);
        Func<Gpt> openReference = () => ModelFolder.Load(source, device.Backend, device.ComputeType).Model;
        using var generation = rewards is null ? null
            : new GrpoStage(gpt, tokenizer, openReference, sources, validation, rewards, settings, stop);
        var stage = generation is not null ? generation.Stage : preferences is not null
            ? DpoStage.Create(
                gpt, tokenizer, start.Checkpoint is null ? null : openReference, sources, validation, preferences, stop)
            : SftStage.Create(gpt, tokenizer, sources, validation, packed);
        using var session = new RunSession(stage, settings, evaluateBatches, start, reader.Used);
        return session.Train(stop);
    }

    private static PreferenceSettings? ReadPreferences(OptionReader reader, bool dpo)
    {
        double beta = reader.Fixed(Beta, 0.1), smoothing = reader.Fixed(LabelSmoothing, 0.0);
        string loss = reader.Fixed(Loss, "sigmoid");
        if (dpo)
        {
            return new PreferenceSettings(
                beta, smoothing,
                Enum.Parse<PreferenceLossKind>(loss.Replace("-", "", StringComparison.Ordinal), ignoreCase: true));
        }

        return new Option[] { Beta, LabelSmoothing, Loss }.FirstOrDefault(reader.IsGiven) is { } given
            ? throw new TinyLlmException(
                $"{given.Name}: it says how comparisons are learned from; expected --method dpo with it.")
            : null;
    }

    // As training takes them; one row alone, of which nothing could be held out, is shown all the same.
    private static List<Conversation> TrainingRows(string[] sources, bool validationElsewhere, RowReport report)
    {
        List<Conversation> train = [];
        foreach (string source in sources)
        {
            var rows = ChatData.Read(source, Split.Train, report);
            HeldOut.Split(source, rows, "row", validationElsewhere || TextData.IsBuiltin(source) || rows.Count == 1,
                train, []);
        }

        return train;
    }

    private static int Show(ParseResult parse, int count, CancellationToken stop)
    {
        if (count < 1)
            throw new TinyLlmException($"--show-mask {count}: expected 1 or more.");
        string folder = parse.GetValue(ModelOption)
            ?? throw new TinyLlmException("finetune: expected --model DIR, the folder of a pretrained model.");
        string found = ModelFolder.Find(folder), sizes = AdapterFolder.Is(found) ? AdapterFolder.Read(found).Base
            : found;
        var tokenizer = TokenizerFolder.Load(found);
        int context = ConfigFile.Read(Path.Combine(sizes, ConfigFile.Name)).Context;
        string[] words = parse.GetValue(Data) is { Length: > 0 } given ? given : [Builtin];
        SpooledInput.TakeAll(words, stop);
        string[] sources = RowFiles.Expand(words);
        var report = new RowReport();
        IExamples examples = parse.GetValue(Method) == Dpo
            ? new PreferenceExamples(sources.SelectMany(source => PreferenceRows.Read(source, report).Pairs), tokenizer,
                context)
            : new ChatExamples(TrainingRows(sources, parse.GetValue(Validation) is not null, report), tokenizer,
                context, packed: parse.GetValue(Packing));
        foreach (var (name, text) in SftStage.Notes(report))
            Console.Error.WriteLine($"{name}: {text}");
        MaskView.Show(examples, tokenizer, count);
        return ExitCode.Done;
    }
}
