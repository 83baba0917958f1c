using System.CommandLine;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Model;
using TinyLlm.Tokenizers;
using TinyLlm.Training;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm eval</c>: how well a model predicts a text, or answers questions.</summary>
internal static class EvalCommand
{
    private static readonly Option<string> ModelFolderOption =
        LoopOptions.Path<string>("--model", "DIR", "Model folder.", required: true);
    private static readonly Option<string[]> Compare = LoopOptions.Path<string[]>(
        "--compare", "DIR ...", "More model folders: one table of all, with 95% confidence intervals.");
    private static readonly Option<string[]> Data = LoopOptions.Path<string[]>("--data", "PATH",
        "Text as pretrain's --data, conversations or multiple-choice rows (.jsonl, .json or .parquet, also .gz or "
        + ".zst; the first row tells), or builtin:questions; may be repeated.", required: true);
    private static readonly Option<string> SplitOption =
        LoopOptions.Choice("--split", "Split of a built-in corpus; default: test.", "train", "validation", "test");
    private static readonly Option<bool> ExactMatchOption = new(
        "--exact-match")
    {
        Description = "Conversations only: answer each last turn greedily and count the answers "
            + "that are equal to the row's."
    };
    private static readonly Option<bool> Chat = new("--chat")
    {
        Description = "Multiple choice only: ask by the chat "
            + "template; default: a choice goes on from the question as plain text."
    };
    private static readonly Option<int> BatchSize =
        new("--batch-size") { HelpName = "N", Description = "Rows of a batch.", DefaultValueFactory = _ => 8 };
    private static readonly DataOptions Reading = new();
    private static readonly DeviceOptions Device = new();
    private static readonly WeightsOption Weights = new();

    public static Command Create()
    {
        Compare.AllowMultipleArgumentsPerToken = true;
        var command = new Command("eval", "Measure models on a text: loss, perplexity, bits per byte; on "
            + "conversations also exact answers; on multiple-choice rows accuracy.")
        {
            ModelFolderOption, Compare, Data, SplitOption, ExactMatchOption, Chat, BatchSize,
        };
        Reading.AddTo(command);
        Device.AddTo(command);
        Weights.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, stop)));
        return command;
    }

    private static int Run(ParseResult parse, CancellationToken stop)
    {
        int b = SamplingOptions.AtLeastOne(BatchSize.Name, parse.GetValue(BatchSize));
        var split = Enum.Parse<Split>(parse.GetValue(SplitOption) ?? "test", ignoreCase: true);
        SpooledInput.TakeAll(parse.GetValue(Data)!, stop);
        using var device = Device.Open(parse);
        var weights = Weights.Read(parse, device);
        var sources = parse.GetValue(Data)!.Select(source => Open(source, split, parse)).ToList();
        string[] folders = [parse.GetValue(ModelFolderOption)!, .. parse.GetValue(Compare) ?? []];
        foreach (string folder in folders.Skip(1))
            ModelFolder.Find(folder); // told before the first one is measured
        var results = sources.Select(_ => new List<EvalResult>()).ToList();
        foreach (string folder in folders)
        {
            var (model, tokenizer) =
                ModelFolder.Load(folder, device.Backend, device.ComputeType, weightType: weights, note: Notes.Show);
            using var owner = model;
            for (int i = 0; i < sources.Count; i++)
            {
                if (Measure(model, tokenizer, sources[i], b, parse, stop) is not { } result)
                    return ExitCode.Interrupted;
                results[i].Add(result);
                if (folders.Length == 1)
                    Print(sources[i].Name, EvalView.Lines(result));
                if (EvalView.LeftOut(result) is > 0 and int left)
                {
                    Print(sources[i].Name,
                        [$"{left:N0} rows are longer than the context of {folder}, {model.Config.Context:N0} tokens; "
                        + "they are left out"]);
                }
            }
        }

        for (int i = 0; i < sources.Count && folders.Length > 1; i++)
        {
            Console.WriteLine($"{(i > 0 ? "\n" : "")}{sources[i].Name}:");
            foreach (string line in EvalView.Table(folders, results[i], OutputConsole.Width ?? int.MaxValue))
                Console.WriteLine(line);
        }

        return ExitCode.Done;
    }

    private static void Print(string source, IEnumerable<string> lines)
    {
        foreach (string line in lines)
            Console.WriteLine($"{source}: {line}");
    }

    // What is measured is read once for all models; text is encoded by each model's tokenizer.
    private static Source Open(string word, Split split, ParseResult parse)
    {
        var report = new RowReport();
        string? textField = Reading.TextField(parse);
        IReadOnlyList<ChoiceRow>? choices = ChoiceRows.AreIn(word, textField) ? ChoiceRows.Read(word, report) : null;
        bool chat = choices is null && ChatData.IsChat(word, textField);
        if (parse.GetValue(ExactMatchOption) && !chat)
        {
            throw new TinyLlmException($"--exact-match: {word} holds no conversations; expected a file of "
                + $"conversations ({RowFiles.Kinds}) or builtin:questions.");
        }

        if (parse.GetValue(Chat) && choices is null)
        {
            throw new TinyLlmException($"--chat: {word} holds no multiple-choice rows; expected a file "
                + $"({RowFiles.Kinds}) whose rows have \"choices\". Conversations are measured by the chat template "
                + "without it.");
        }

        if (chat && !TextData.IsBuiltin(word))
            ChoiceRows.RefuseIn(word);
        var rows = chat ? ChatData.Read(word, split, report) : null;
        if (report.NotLearned > 0)
        {
            Console.Error.WriteLine($"{word}: {report.NotLearned:N0} rows that are marked as not to be learned are "
                + "left out");
        }

        if (report.Describe() is { } fields)
            Console.Error.WriteLine($"{word}: fields not read: {fields}");
        return new Source(word, split, choices, rows);
    }

    // Nothing where it was interrupted.
    private static EvalResult? Measure(
        Gpt model, Tokenizer tokenizer, Source source, int b, ParseResult parse, CancellationToken stop)
    {
        if (source.Choices is { } choices)
        {
            return ChoiceEvaluation.Run(model, tokenizer, choices, b, parse.GetValue(Chat), stop) is { } measured
                ? new EvalResult(null, [], null, measured) : null;
        }

        using var corpus = source.Rows is null
            ? OpenText(source.Name, source.Split, tokenizer, model.Config.Context, parse, stop) : null;
        IExamples examples = corpus?.Validation ?? new ChatExamples(source.Rows!, tokenizer, model.Config.Context);
        var each = new ExampleScore[examples.Count];
        if (new Evaluator(examples, tokenizer, b).Evaluate(model, b, each, stop) is not { } loss)
            return null;
        if (!double.IsFinite(loss.Loss))
        {
            throw new TinyLlmException($"{source.Name}: the loss is {loss.Loss}; expected a number. The model's "
                + "weights are damaged or its training diverged: use an earlier checkpoint.");
        }

        if (!parse.GetValue(ExactMatchOption))
            return new EvalResult(loss, each, null, null);
        return ExactMatch.Run(model, tokenizer, source.Rows!, stop) is { } exact
            ? new EvalResult(loss, each, exact, null) : null;
    }

    // Encoded in memory, whatever its size: what is measured once leaves nothing on the disk.
    private static Corpus OpenText(
        string word, Split split, Tokenizer tokenizer, int context, ParseResult parse, CancellationToken stop)
    {
        var source = DataSource.Parse([word], Reading.Read(parse))[0];
        if (source.Weight is not null)
            throw new TinyLlmException($"--data {word}: an evaluation has no weights; each --data has its own line.");
        var corpus = Corpus.Open(source, split, tokenizer, context, stop);
        PreparationView.ShowBadLines(corpus.Report);
        return corpus;
    }

    /// <summary>What a --data word names.</summary>
    private sealed record Source(
        string Name, Split Split, IReadOnlyList<ChoiceRow>? Choices, IReadOnlyList<Conversation>? Rows);
}
