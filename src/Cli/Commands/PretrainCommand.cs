using System.CommandLine;
using TinyLlm.Model;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training.Data;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm pretrain</c>: trains a model from raw text.</summary>
internal static class PretrainCommand
{
    private static readonly LoopDefaults Defaults = new(Steps: 800, BatchSize: 16, LearningRate: 4e-3, WeightDecay: 0.1);

    public static Command Create()
    {
        var loop = new LoopOptions(Defaults);
        var model = new ModelOptions();
        var data = LoopOptions.Path<string[]>("--data", "PATH", "Text file, builtin:stories or builtin:questions; many times; absent: builtin:stories.");
        var validation = LoopOptions.Path<string?>("--val-data", "PATH", "Validation text; absent: the last tenth of the data.");
        var command = new Command("pretrain", "Train a model from raw text; without options, a small one on the built-in stories.") { data, validation };
        model.AddTo(command);
        loop.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, loop, model, data, validation, stop)));
        return command;
    }

    private static int Run(ParseResult parse, LoopOptions loop, ModelOptions model, Option<string[]> data, Option<string?> validation, CancellationToken stop)
    {
        var start = ResumePoint.Find(parse, loop, "pretrain");
        var reader = new OptionReader(parse, start.Saved?.Options);
        string[] sources = reader.Fixed(data, ["builtin:stories"]);
        string? validationSource = reader.Fixed(validation, null);
        var settings = loop.Read(reader);
        settings.Validate();
        var sizes = model.Read(reader, reader.Fixed(loop.Dropout, 0.0));
        int evaluateBatches = reader.Free(loop.EvaluateBatches, 0);
        var openDevice = loop.Device.Read(reader);
        reader.CheckResume();

        using var device = openDevice();
        var text = TextData.Load(sources, validationSource);
        var tokenizer = start.Checkpoint is null ? model.MakeTokenizer(sizes, text) : TokenizerFolder.Load(start.Checkpoint);
        int[] train = TextData.Encode(text.Train, tokenizer), held = TextData.Encode(text.Validation, tokenizer);
        var config = sizes.Config(tokenizer.VocabularySize) with { ComputeType = device.ComputeType };
        var windows = new Windows(train, config.Context, keepRest: false, "training");
        var heldWindows = new Windows(held, config.Context, keepRest: true, "validation");
        using var gpt = new Gpt(config, device.Backend);
        gpt.Initialize(settings.Seed);
        string summary = $"{string.Join(", ", sources)}: {train.Length:N0} training and {held.Length:N0} validation tokens ({tokenizer.Kind})";
        var stage = new Stage("pretrain", gpt, tokenizer, windows, heldWindows, [tokenizer.DocumentStart], NameOf(sources[0]), [("data", summary)]);
        using var session = new RunSession(stage, settings, evaluateBatches, start, reader.Used);
        return session.Train(stop);
    }

    private static string NameOf(string source) => TextData.IsBuiltin(source) ? source[TextData.BuiltinPrefix.Length..] : Path.GetFileNameWithoutExtension(source);
}
