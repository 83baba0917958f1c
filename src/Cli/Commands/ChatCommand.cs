using System.CommandLine;
using TinyLlm.Data;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm chat</c>: talks with a model.</summary>
internal static class ChatCommand
{
    private static readonly Option<string> ModelFolderOption =
        LoopOptions.Path<string>("--model", "DIR", "Model folder.", required: true);
    private static readonly Option<string?> SystemText =
        LoopOptions.Text("--system", "TEXT", "What the system says before the conversation.");
    private static readonly Option<string?> Preferences = LoopOptions.Path<string?>(
        "--preferences", "FILE",
        "Where /good, /bad and /compare write, a JSON object a line; default: preferences.jsonl.");
    private static readonly SamplingOptions Sampling = new();
    private static readonly DeviceOptions Device = new();
    private static readonly WeightsOption Weights = new();

    public static Command Create()
    {
        var command = new Command("chat", "Talk with a model, a line a question; /help lists what else can be typed.")
        {
            ModelFolderOption, SystemText, Preferences,
        };
        Sampling.AddTo(command);
        Device.AddTo(command);
        Weights.AddTo(command);

        // Not asynchronous: Ctrl-C would cancel the whole command, and here it stops an answer.
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parse)
    {
        var sampling = Sampling.Read(parse);
        string folder = parse.GetValue(ModelFolderOption)!;
        using var device = Device.Open(parse);
        var (model, tokenizer) =
            ModelFolder.Load(folder, device.Backend, device.ComputeType, weightType: Weights.Read(parse, device),
                note: Notes.Show);
        using var owner = model;
        if (!tokenizer.HasTurns)
        {
            throw new TinyLlmException(
                $"{folder}: the tokenizer has no marks of turns ({Tokenizer.SpecialTokens[1]}, "
                + $"{Tokenizer.SpecialTokens[2]}), which a chat needs. "
                + "Take a model whose tokenizer has them (bpe, byte, char, word, cl100k, o200k or Qwen's), or write "
                + "on by tinyllm generate.");
        }

        using var terminal = new ChatTerminal();
        string? system = parse.GetValue(SystemText) is { Length: > 0 } text ? text : null;
        using var loop = new ChatLoop(
            model, tokenizer, sampling, system, new PreferenceFile(parse.GetValue(Preferences) ?? "preferences.jsonl"),
            terminal);
        if (ChatTerminal.IsLive)
            terminal.Remark($"{folder}. /help lists the commands; Ctrl-C stops an answer, Ctrl-D ends.");
        loop.Run();
        return terminal.IsTerminated ? ExitCode.Interrupted : ExitCode.Done;
    }
}
