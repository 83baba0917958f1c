using System.CommandLine;
using TinyLlm.Data;
using TinyLlm.Data.Sources;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm pretrain</c>: trains a model from raw text.</summary>
internal static class PretrainCommand
{
    // Beside the run, so that the runs of one place share what was prepared there.
    private const string CacheName = "prepared";

    private static readonly Option<string> RecipeOption = Recipe.Option();

    public static Command Create()
    {
        var loop = new LoopOptions(Recipe.Default.Loop);
        var model = new ModelOptions();
        var data = LoopOptions.Path<string[]>("--data", "PATH", DataOptions.Help + " Default: builtin:stories.");
        var validation = LoopOptions.Path<string?>("--val-data", "PATH", "Validation text, as --data; default: the "
            + "last tenth of each --data, a million tokens at most.");
        var init = LoopOptions.Path<string?>("--init", "DIR", "Go on from this model, with its tokenizer: a folder of "
            + "pretrain, or one of Hugging Face's of the same architectures.");
        var reading = new DataOptions();
        var command = new Command("pretrain", "Train a model from raw text; without options, a small one on the "
            + "built-in stories.") { data, validation, init, RecipeOption };
        reading.AddTo(command);
        model.AddTo(command);
        loop.AddTo(command);
        command.SetAction(
            (parse, stop) => Task.FromResult(Run(parse, loop, model, data, validation, init, reading, stop)));
        return command;
    }

    private static int Run(
        ParseResult parse, LoopOptions loop, ModelOptions model,
        Option<string[]> data, Option<string?> validation, Option<string?> init, DataOptions reading,
        CancellationToken stop)
    {
        using var start = ResumePoint.Find(parse, loop, "pretrain");
        var reader = new OptionReader(parse, start.Saved?.Options);
        string[] words = reader.Fixed(data, ["builtin:stories"]);
        string? validationWord = reader.Fixed(validation, null);
        var options = reading.Read(reader);
        var recipe = Recipe.Read(reader, RecipeOption);
        var settings = loop.Read(reader, recipe.Loop);
        settings.Validate();
        SpooledInput.TakeAll(validationWord is null ? words : [.. words, validationWord], stop);
        var sources = DataSource.Parse(words, options);
        IReadOnlyList<DataSource> held = validationWord is null ? [] : DataSource.Parse([validationWord], options,
            validation.Name);
        string? initial = reader.Fixed(init, null);
        if (initial is not null)
            model.RefuseBeside($"--init {initial}", reader);
        double dropout = reader.Fixed(loop.Dropout, 0.0);
        var sizes = model.Read(
            reader, recipe, dropout, sources.FirstOrDefault(source => source.IsPrepared)?.Name ?? recipe.Tokenizer);
        int evaluateBatches = reader.Free(loop.EvaluateBatches, 0);
        var (openDevice, threads) = (loop.Device.Read(reader), loop.Device.Threads(reader));
        reader.CheckResume();

        using var device = openDevice();
        var (gpt, tokenizer) = initial is not null
            ? ModelFolder.Load(
                start.Checkpoint ?? initial, device.Backend, device.ComputeType, (float)dropout, note: Notes.Show)
            : NewModel();
        using var owner = gpt;
        using var corpus =
            OpenCorpus(sources, held, tokenizer, gpt.Config.Context, CacheFolder(start.Folder), threads, stop);
        string summary = $"{string.Join(", ", words)}: {corpus.TrainTokens:N0} training and "
            + $"{corpus.ValidationTokens:N0} validation tokens ({tokenizer.Kind})";
        var stage = new Stage(
            "pretrain", gpt, tokenizer, corpus.Train, corpus.Validation, [tokenizer.DocumentStart],
            sources[0].ShortName, [("data", summary)]);
        using var session = new RunSession(stage, settings, evaluateBatches, start, reader.Used);
        return session.Train(stop);

        (Gpt, Tokenizer) NewModel()
        {
            var tokenizer = start.Checkpoint is null ? model.MakeTokenizer(sizes, sources, held, threads, stop)
                : TokenizerFolder.Load(start.Checkpoint);
            var gpt = new Gpt(
                sizes.Config(tokenizer.VocabularySize) with { ComputeType = device.ComputeType }, device.Backend);
            gpt.Initialize(settings.Seed);
            return (gpt, tokenizer);
        }
    }

    private static Corpus OpenCorpus(
        IReadOnlyList<DataSource> sources, IReadOnlyList<DataSource> held, Tokenizer tokenizer, int context,
        string cache, int threads, CancellationToken stop)
    {
        Corpus corpus;
        using (var view = new PreparationView())
            corpus = Corpus.Open(sources, held, tokenizer, new CorpusSettings(context, cache, threads, view), stop);
        PreparationView.ShowBadLines(corpus.Report);
        return corpus;
    }

    private static string CacheFolder(string? run) =>
        Path.Combine(run is null ? "runs" : Path.GetDirectoryName(Path.GetFullPath(run)) ?? "", CacheName);
}
