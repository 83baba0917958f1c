using System.CommandLine;
using System.Reflection;
using TinyLlm.Bench.Processes;
using TinyLlm.Bench.Reporting;
using TinyLlm.Bench.Timing;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Tokenizers;

namespace TinyLlm.Bench.Startup;

/// <summary>
/// <c>startup</c>: whole processes of the program <c>tinyllm</c>, from start to end, and of one that loads libtorch for
/// the same small model.
/// </summary>
internal static class StartupCommand
{
    private const string Text = "Once upon a time";

    private static readonly ByteTokenizer Tokenizer = new();

    /// <summary>The model that is loaded: the preset <c>tiny</c> for bytes.</summary>
    public static ModelSize Size { get; } = ModelSize.Get("tiny") with { Vocabulary = Tokenizer.VocabularySize };

    /// <summary>The prompt as <c>tinyllm generate</c> makes it of the text.</summary>
    public static int[] Prompt => [Tokenizer.EndOfText, .. Tokenizer.Encode(System.Text.Encoding.UTF8.GetBytes(Text))];

    /// <summary>Seconds of a whole process; the peer is libtorch's, for the first token of the same model.</summary>
    private sealed record Result(
        string Command, string? Model, double Ours, double Spread, double? Peer, double? PeerSpread, double? Ratio);

    public static Command Create()
    {
        var rounds = CommonOptions.Positive("--rounds", 15, "Rounds; in each, every process runs once, in turn.");
        var program = new Option<string>(
            "--program") { HelpName = "FILE", Description = "The program; absent: the one that was built with this "
            + "bench.", DefaultValueFactory = _ => Built() };
        var json = ResultsFile.Option();
        var command = new Command("startup", "Time the program's start: help, and the first token of a small model, "
            + "beside libtorch's.") { program, rounds, json };
        command.SetAction(
            parse => Run(parse.GetValue(program)!, parse.GetValue(rounds), new ResultsFile(parse.GetValue(json))));
        return command;
    }

    private static string Built() =>
        typeof(StartupCommand).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "TinyLlmProgram").Value!;

    private static void Run(string program, int rounds, ResultsFile results)
    {
        using var folder = new TemporaryFolder();
        Save($"{folder}");
        var help = new TimedProcess(program, "--help");
        var commandHelp = new TimedProcess(program, "devices", "--help");
        var generate = new TimedProcess(
            program, "generate", "--model", $"{folder}", "--prompt", Text, "--max-tokens", "1", "--temperature", "0",
            "--device", "cpu");
        var peer = new TimedProcess(OwnProgram.Path, OwnProgram.Arguments(FirstTokenCommand.Name, $"{folder}"));

        TimedProcess[] all = [help, commandHelp, generate, peer];
        foreach (var process in all)
            process.Run(); // reads the files into the system's cache
        for (int round = 0; round < rounds; round++)
            foreach (var process in all)
                process.Measure();

        Console.WriteLine($"whole processes, medians of {rounds} rounds; spread: (slowest - fastest) / median; model: "
            + $"{Size.Layers} layers, width {Size.Width}, V={Size.Vocabulary}\n");
        var table = new Table("process                        ", "     ms", "spread");
        Add("tinyllm --help", null, help, null);
        Add("tinyllm devices --help", null, commandHelp, null);
        Add("tinyllm generate --max-tokens 1", Size.Name, generate, peer);
        table.Add("libtorch, first token", $"{peer.Seconds.Median * 1e3:F0}", $"{peer.Seconds.Spread:P0}");
        Console.WriteLine(
            $"\nfirst token: {generate.Seconds.SpeedUpOver(peer.Seconds):F2} times as fast as libtorch's process");

        void Add(string command, string? model, TimedProcess process, TimedProcess? peer)
        {
            table.Add(command, $"{process.Seconds.Median * 1e3:F0}", $"{process.Seconds.Spread:P0}");
            results.Add(
                new Result(command, model, process.Seconds.Median, process.Seconds.Spread, peer?.Seconds.Median,
                    peer?.Seconds.Spread, peer is null ? null : process.Seconds.SpeedUpOver(peer.Seconds)));
        }
    }

    private static void Save(string folder)
    {
        using var backend = Backend.Create("cpu");
        using var model = new Gpt(Size.Gpt2(), backend);
        model.Initialize(1);
        ModelFolder.Save(folder, model, Tokenizer);
    }
}
