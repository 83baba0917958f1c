using System.CommandLine;
using TinyLlm.Cli.Terminal;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm generate</c>: writes on from a prompt, or answers it.</summary>
internal static class GenerateCommand
{
    private static readonly Option<string> ModelFolderOption =
        LoopOptions.Path<string>("--model", "DIR", "Model folder.", required: true);
    private static readonly Option<string?> Prompt =
        LoopOptions.Text("--prompt", "TEXT", "What to go on from; default: standard input, where it is no terminal.");
    private static readonly SamplingOptions Sampling = new();
    private static readonly Option<int> Count = new(
        "--count")
    {
        HelpName = "N",
        Description = "How many samples, which go through the model together.",
        DefaultValueFactory = _ => 1
    };
    private static readonly DeviceOptions Device = new();
    private static readonly WeightsOption Weights = new();
    private static readonly Option<bool> Chat =
        new("--chat") { Description = "Take the prompt as a user's message and answer it, by the chat template." };

    public static Command Create()
    {
        var command = new Command("generate", "Write on from a prompt, or answer it (--chat).")
        {
            ModelFolderOption, Prompt, Count, Chat,
        };
        Sampling.AddTo(command);
        Device.AddTo(command);
        Weights.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, stop)));
        return command;
    }

    private static int Run(ParseResult parse, CancellationToken stop)
    {
        var sampling = Sampling.Read(parse);
        int count = SamplingOptions.AtLeastOne(Count.Name, parse.GetValue(Count));
        byte[] prompt = ReadPrompt(parse, stop);
        bool chat = parse.GetValue(Chat);
        if (chat && prompt.Length == 0)
        {
            throw new TinyLlmException(
                "--chat: there is no prompt; give the message by --prompt or on standard input.");
        }

        using var device = Device.Open(parse);
        var (model, tokenizer) = ModelFolder.Load(
            parse.GetValue(ModelFolderOption)!, device.Backend, device.ComputeType,
            weightType: Weights.Read(parse, device),
            note: Notes.Show);
        using var owner = model;
        int[] ids = chat ? EncodeQuestion(tokenizer, prompt, model.Config.Context)
            : EncodeText(tokenizer, prompt, model.Config.Context);
        int length = (int)Math.Min((long)ids.Length + sampling.MaxTokens, model.Config.Context),
            rows = Generator.ChooseRows(model, count, length);
        using var generator = new Generator(model, rows, length);
        using var output = StandardStreams.OpenOutput();
        var samples = new SampleOutput(
            output, tokenizer, [.. Enumerable.Repeat("\n---\n", count - 1).Prepend("")], chat ? []
            : prompt, sampling.Stops);
        for (int first = 0; first < count && !stop.IsCancellationRequested; first += rows)
        {
            int end = Math.Min(count, first + rows);
            var samplers = Enumerable.Range(first, end - first).Select(sample => sampling.Sampler(model, (uint)sample))
                .ToArray();
            generator.Generate(
                ids, sampling.MaxTokens, samplers, (row, token) => samples.Accept(first + row, token), stop);
            if (!stop.IsCancellationRequested)
                samples.EndAll(end);
        }

        if (stop.IsCancellationRequested)
            samples.Break();
        output.Write("\n"u8);
        return stop.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Done;
    }

    // A text begins as documents did in training. The generator sees the end of a long one, which is worth saying.
    private static int[] EncodeText(Tokenizer tokenizer, byte[] prompt, int context)
    {
        int[] ids = [tokenizer.DocumentStart, .. tokenizer.Encode(prompt)];
        if (ids.Length > context)
        {
            ErrorConsole.WriteLine($"The prompt takes {ids.Length:N0} tokens, its start included, "
                + $"and the model's context is {context:N0}: the first {ids.Length - context:N0} tokens are left out.");
        }

        return ids;
    }

    // As chat refuses a question: cut, it would no longer be one.
    private static int[] EncodeQuestion(Tokenizer tokenizer, byte[] prompt, int context)
    {
        var question = new ChatMessage("user", System.Text.Encoding.UTF8.GetString(prompt));
        try
        {
            return ChatWindow.Fit(tokenizer, null, [question], context, room: 1).Ids;
        }
        catch (TinyLlmException e)
        {
            throw new TinyLlmException($"--chat: {e.Message}", e);
        }
    }

    private static byte[] ReadPrompt(ParseResult parse, CancellationToken stop)
    {
        if (parse.GetValue(Prompt) is { } text)
            return System.Text.Encoding.UTF8.GetBytes(text);
        if (StandardStreams.IsInputTerminal)
            return [];

        // The line break that a shell's echo adds is not part of the prompt.
        byte[] prompt = StandardStreams.ReadInput(stop);
        int length = prompt.Length;
        if (length > 0 && prompt[length - 1] == '\n')
            length--;
        if (length > 0 && length < prompt.Length && prompt[length - 1] == '\r')
            length--;
        return prompt[..length];
    }
}
