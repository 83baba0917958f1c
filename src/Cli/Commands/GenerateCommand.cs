using System.CommandLine;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Model.Tokenizers;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm generate</c>: writes on from a prompt, or answers it.</summary>
internal static class GenerateCommand
{
    private static readonly Option<string> ModelFolderOption = LoopOptions.Path<string>("--model", "DIR", "Model folder.", required: true);
    private static readonly Option<string?> Prompt = LoopOptions.Text("--prompt", "TEXT", "What to go on from; absent: standard input, where it is no terminal.");
    private static readonly Option<int> MaxTokens = new("--max-tokens") { HelpName = "N", Description = "Most tokens to write.", DefaultValueFactory = _ => 200 };
    private static readonly Option<float> Temperature = new("--temperature") { HelpName = "X", Description = "0: always the likeliest token; 1: as the model says.", DefaultValueFactory = _ => 0.8f };
    private static readonly Option<int> TopK = new("--top-k") { HelpName = "N", Description = "Only the N likeliest tokens; 0: all." };
    private static readonly Option<float> TopP = new("--top-p") { HelpName = "X", Description = "Only the likeliest tokens that make up this probability.", DefaultValueFactory = _ => 1f };
    private static readonly Option<float> MinP = new("--min-p") { HelpName = "X", Description = "Only tokens with this share of the likeliest one's probability." };
    private static readonly Option<float> RepetitionPenalty = new("--repetition-penalty") { HelpName = "X", Description = "Above 1: tokens that were there before become less likely.", DefaultValueFactory = _ => 1f };
    private static readonly Option<string[]> Stop = new("--stop") { HelpName = "TEXT", Description = "End before this text; many times." };
    private static readonly Option<ulong?> Seed = new("--seed") { HelpName = "N", Description = "Seed of the draws; absent: another every time." };
    private static readonly Option<int> Count = new("--count") { HelpName = "N", Description = "How many samples, which go through the model together.", DefaultValueFactory = _ => 1 };
    private static readonly DeviceOptions Device = new();
    private static readonly WeightsOption Weights = new();
    private static readonly Option<bool> Chat = new("--chat") { Description = "Take the prompt as a user's message and answer it, by the chat template." };

    public static Command Create()
    {
        var command = new Command("generate", "Write on from a prompt, or answer it (--chat).")
        {
            ModelFolderOption, Prompt, MaxTokens, Temperature, TopK, TopP, MinP, RepetitionPenalty, Stop, Seed, Count, Chat,
        };
        Device.AddTo(command);
        Weights.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, stop)));
        return command;
    }

    private static int Run(ParseResult parse, CancellationToken stop)
    {
        var settings = new SamplerSettings
        {
            Temperature = parse.GetValue(Temperature),
            TopK = parse.GetValue(TopK),
            TopP = parse.GetValue(TopP),
            MinP = parse.GetValue(MinP),
            RepetitionPenalty = parse.GetValue(RepetitionPenalty),
        }.Validate();
        int count = AtLeastOne("--count", parse.GetValue(Count)), maxTokens = AtLeastOne("--max-tokens", parse.GetValue(MaxTokens));
        ulong seed = parse.GetValue(Seed) ?? (ulong)Random.Shared.NextInt64();
        byte[] prompt = ReadPrompt(parse);
        bool chat = parse.GetValue(Chat);
        if (chat && prompt.Length == 0)
            throw new TinyLlmException("--chat: there is no prompt; give the message by --prompt or on standard input.");

        using var device = Device.Open(parse);
        var (model, tokenizer) = ModelFolder.Load(parse.GetValue(ModelFolderOption)!, device.Backend, device.ComputeType, weightType: Weights.Read(parse, device));
        using var owner = model;
        int[] ids = Encode(tokenizer, prompt, chat);
        int length = (int)Math.Min((long)ids.Length + maxTokens, model.Config.Context), rows = Generator.ChooseRows(model, count, length);
        using var generator = new Generator(model, rows, length);
        using var output = Console.OpenStandardOutput();
        var samples = new SampleOutput(output, tokenizer, count, chat ? [] : prompt, parse.GetValue(Stop) ?? []);
        for (int first = 0; first < count && !stop.IsCancellationRequested; first += rows)
        {
            int end = Math.Min(count, first + rows);
            var samplers = Enumerable.Range(first, end - first).Select(sample => new Sampler(settings, seed, model.Config.VocabularySize, (uint)sample)).ToArray();
            generator.Generate(ids, maxTokens, samplers, (row, token) => samples.Accept(first + row, token), stop);
            if (!stop.IsCancellationRequested)
                samples.EndAll(end);
        }

        if (stop.IsCancellationRequested)
            samples.Break();
        output.Write("\n"u8);
        return stop.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Done;
    }

    // A text begins as documents did in training.
    private static int[] Encode(Tokenizer tokenizer, byte[] prompt, bool chat) => chat
        ? ChatTemplate.EncodePrompt(tokenizer, [new ChatMessage("user", System.Text.Encoding.UTF8.GetString(prompt))])
        : [tokenizer.DocumentStart, .. tokenizer.Encode(prompt)];

    private static byte[] ReadPrompt(ParseResult parse)
    {
        if (parse.GetValue(Prompt) is { } text)
            return System.Text.Encoding.UTF8.GetBytes(text);
        if (!Console.IsInputRedirected)
            return [];
        using var input = Console.OpenStandardInput();
        using var bytes = new MemoryStream();
        input.CopyTo(bytes);

        // The line break that a shell's echo adds is not part of the prompt.
        byte[] prompt = bytes.ToArray();
        int length = prompt.Length;
        if (length > 0 && prompt[length - 1] == '\n')
            length--;
        if (length > 0 && length < prompt.Length && prompt[length - 1] == '\r')
            length--;
        return prompt[..length];
    }

    private static int AtLeastOne(string option, int value) =>
        value >= 1 ? value : throw new TinyLlmException($"{option} {value}: expected 1 or more.");
}
