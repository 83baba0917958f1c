using System.CommandLine;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Model.Tokenizers;
using TinyLlm.Training.Data;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm finetune</c>: teaches a pretrained model to answer, from examples of conversations.</summary>
internal static class FinetuneCommand
{
    private static readonly LoopDefaults Defaults = new(Steps: 1000, BatchSize: 32, LearningRate: 3e-3, WeightDecay: 0.1);

    public static Command Create()
    {
        var loop = new LoopOptions(Defaults);
        var model = LoopOptions.Path<string?>("--model", "DIR", "Model folder to begin with.");
        var data = LoopOptions.Path<string[]>("--data", "PATH", "Rows of conversations (.jsonl) or builtin:questions; many times; absent: builtin:questions.");
        var validation = LoopOptions.Path<string?>("--val-data", "PATH", "Validation rows; absent: the last tenth of the data.");
        var command = new Command("finetune", "Teach a model to answer, by supervised finetuning on conversations.") { model, data, validation };
        loop.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, loop, model, data, validation, stop)));
        return command;
    }

    private static int Run(ParseResult parse, LoopOptions loop, Option<string?> model, Option<string[]> data, Option<string?> validation, CancellationToken stop)
    {
        var start = ResumePoint.Find(parse, loop, "finetune");
        var reader = new OptionReader(parse, start.Saved?.Options);
        string source = reader.Fixed(model, null) ?? throw new TinyLlmException("finetune: expected --model DIR, the folder of a pretrained model.");
        string[] sources = reader.Fixed(data, ["builtin:questions"]);
        string? validationSource = reader.Fixed(validation, null);
        var settings = loop.Read(reader);
        settings.Validate();
        float dropout = (float)reader.Fixed(loop.Dropout, 0.0);
        int evaluateBatches = reader.Free(loop.EvaluateBatches, 0);
        var openDevice = loop.Device.Read(reader);
        reader.CheckResume();

        using var device = openDevice();
        var (gpt, tokenizer) = ModelFolder.Load(start.Checkpoint ?? source, device.Backend, device.ComputeType, dropout);
        using var owner = gpt;
        var rows = ChatData.Load(sources, validationSource);
        var train = new ChatExamples(rows.Train, tokenizer, gpt.Config.Context);
        var held = new ChatExamples(rows.Validation, tokenizer, gpt.Config.Context, train.Length);
        string summary = $"{string.Join(", ", sources)}: {train.Count:N0} training rows with {train.Scored:N0} scored tokens, {held.Count:N0} validation rows, {train.Length} tokens a row";
        (string, string)[] headings = [("data", summary), .. LeftOut("training", train), .. LeftOut("validation", held)];
        int[] prompt = ChatTemplate.EncodePrompt(tokenizer, [.. rows.Validation[0].Messages.TakeWhile(m => m.Role != ChatTemplate.Assistant)]);
        using var session = new RunSession(new Stage("finetune", gpt, tokenizer, train, held, prompt, "chat", headings), settings, evaluateBatches, start, reader.Used);
        return session.Train(stop);
    }

    private static IEnumerable<(string, string)> LeftOut(string what, ChatExamples rows)
    {
        if (rows.Skipped > 0)
            yield return ("skipped", $"{rows.Skipped:N0} {what} rows without an assistant's token within the context");
        if (rows.Cut > 0)
            yield return ("cut", $"{rows.Cut:N0} {what} rows longer than the context");
    }
}
