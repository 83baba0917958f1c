using System.CommandLine;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training.Data;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm finetune</c>: teaches a pretrained model to answer, from examples of conversations.</summary>
internal static class FinetuneCommand
{
    private const string Builtin = "builtin:questions";

    private static readonly LoopDefaults Defaults = new(Steps: 1000, BatchSize: 32, LearningRate: 3e-3, WeightDecay: 0.1);

    public static Command Create()
    {
        var loop = new LoopOptions(Defaults);
        var model = LoopOptions.Path<string?>("--model", "DIR", "Model folder to begin with.");
        var data = LoopOptions.Path<string[]>("--data", "PATH", "Rows of conversations (.jsonl, also .gz or .zst) or builtin:questions; many times; absent: builtin:questions.");
        var validation = LoopOptions.Path<string?>("--val-data", "PATH", "Validation rows; absent: the last tenth of the data.");
        var command = new Command("finetune", "Teach a model to answer, by supervised finetuning on conversations.") { model, data, validation, Packing, ShowMask };
        Lora.AddTo(command);
        loop.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, loop, model, data, validation, stop)));
        return command;
    }

    private static readonly Option<bool> Packing = new("--packing") { Description = "Conversations share rows as long as the model's context; none sees another. More is learned in a step, and less of it is padding." };
    private static readonly LoraOptions Lora = new();
    private static readonly Option<int> ShowMask = LoopOptions.Number("--show-mask", "Show N training examples with what is learned of them, and do nothing else.");

    private static int Run(ParseResult parse, LoopOptions loop, Option<string?> model, Option<string[]> data, Option<string?> validation, CancellationToken stop)
    {
        if (parse.GetValue(ShowMask) is var shown and not 0)
            return Show(parse, model, data, validation, shown);
        var start = ResumePoint.Find(parse, loop, "finetune");
        var reader = new OptionReader(parse, start.Saved?.Options);
        string source = reader.Fixed(model, null) ?? throw new TinyLlmException("finetune: expected --model DIR, the folder of a pretrained model.");
        string[] sources = reader.Fixed(data, [Builtin]);
        string? validationSource = reader.Fixed(validation, null);
        bool packed = reader.Fixed(Packing, false);
        var lora = Lora.Read(reader, source);
        var settings = loop.Read(reader, lora is null ? null : loop.Defaults with { Optimizer = LoopOptions.AdamW });
        settings.Validate();
        float dropout = (float)reader.Fixed(loop.Dropout, 0.0);
        int evaluateBatches = reader.Free(loop.EvaluateBatches, 0);
        var openDevice = loop.Device.Read(reader);
        reader.CheckResume();

        using var device = openDevice();
        var (gpt, tokenizer) = ModelFolder.Load(start.Checkpoint ?? source, device.Backend, device.ComputeType, dropout, lora: start.Checkpoint is null ? lora : null, keepAdapter: lora is not null);
        using var owner = gpt;
        if (lora is not null && start.Checkpoint is null)
            gpt.InitializeAdapter(settings.Seed);
        var rows = ChatData.Load(sources, validationSource);
        var train = new ChatExamples(rows.Train, tokenizer, gpt.Config.Context, packed: packed);
        var held = new ChatExamples(rows.Validation, tokenizer, gpt.Config.Context, train.Length, packed);
        string inRows = packed ? $" in {train.Count:N0} rows" : "";
        string summary = $"{string.Join(", ", sources)}: {train.Conversations:N0} conversations{inRows} with {train.Scored:N0} scored tokens, {held.Conversations:N0} for validation, {train.Length} tokens a row";
        (string, string)[] headings = [("data", summary), .. LeftOut("training", train), .. LeftOut("validation", held)];
        int[] prompt = ChatTemplate.EncodePrompt(tokenizer, [.. rows.Validation[0].Messages.TakeWhile(m => m.Role != ChatTemplate.Assistant)]);
        using var session = new RunSession(new Stage("finetune", gpt, tokenizer, train, held, prompt, "chat", headings), settings, evaluateBatches, start, reader.Used);
        return session.Train(stop);
    }

    private static int Show(ParseResult parse, Option<string?> model, Option<string[]> data, Option<string?> validation, int count)
    {
        if (count < 1)
            throw new TinyLlmException($"--show-mask {count}: expected 1 or more.");
        string folder = parse.GetValue(model) ?? throw new TinyLlmException("finetune: expected --model DIR, the folder of a pretrained model.");
        string found = ModelFolder.Find(folder), sizes = AdapterFolder.Is(found) ? AdapterFolder.Read(found).Base : found;
        var tokenizer = TokenizerFolder.Load(found);
        var rows = ChatData.Load(parse.GetValue(data) is { Length: > 0 } given ? given : [Builtin], parse.GetValue(validation));
        MaskView.Show(new ChatExamples(rows.Train, tokenizer, ConfigFile.Read(Path.Combine(sizes, ConfigFile.Name)).Context, packed: parse.GetValue(Packing)), tokenizer, count);
        return ExitCode.Done;
    }

    private static IEnumerable<(string, string)> LeftOut(string what, ChatExamples rows)
    {
        if (rows.Skipped > 0)
            yield return ("skipped", $"{rows.Skipped:N0} {what} rows without an assistant's token within the context");
        if (rows.Cut > 0)
            yield return ("cut", $"{rows.Cut:N0} {what} rows longer than the context");
    }
}
