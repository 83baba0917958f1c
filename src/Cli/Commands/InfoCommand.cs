using System.CommandLine;
using TinyLlm.Cli.Terminal;
using TinyLlm.Kernels;
using TinyLlm.Model;
using TinyLlm.Training;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm info</c>: what a model folder holds.</summary>
internal static class InfoCommand
{
    private const int Indent = 14;

    private static readonly Option<string> ModelFolderOption =
        LoopOptions.Path<string>("--model", "DIR", "Model folder.", required: true);

    public static Command Create()
    {
        var command = new Command("info", "Show a model's architecture, parameters, memory, tokenizer, and how it was "
            + "trained.") { ModelFolderOption };
        command.SetAction(parse => Run(parse.GetValue(ModelFolderOption)!));
        return command;
    }

    private static int Run(string folder)
    {
        string found = ModelFolder.Find(folder);
        using var backend = Backend.Create("cpu", 1);
        var (model, tokenizer) = ModelFolder.Load(found, backend, note: Notes.Show);
        using var owner = model;
        var c = model.Config;
        Line("architecture", c.Architecture.ToString().ToLowerInvariant());
        Line("layers", $"{c.Layers}");
        Line("heads", $"{c.Heads} of {c.HeadSize}, {c.KvHeads} for keys and values");
        Line("width", $"{c.Width}, {c.MlpWidth} in the MLP");
        Line("context", $"{c.Context} tokens");
        Line("head", c.TiedHead ? "tied to the token table" : "of its own");
        Line("parameters", $"{model.Parameters.Count:N0}");
        Line("memory", $"{MiB(model.Parameters.All.Sum(p => p.Shape.Count) * 4)} of weights in fp32; "
            + $"{MiB(CacheBytes(c))} of keys and values for a full context");
        Line("tokenizer", $"{tokenizer.Kind}, {tokenizer.VocabularySize:N0} tokens");
        string trainer = Directory.GetDirectories(
            Directory.Exists(Path.Combine(found, "checkpoints")) ? Path.Combine(found, "checkpoints") : found, "step-*")
            .Where(d => !AtomicFolder.IsTemporary(d)).Order(StringComparer.Ordinal).LastOrDefault() ?? found;
        if (File.Exists(Path.Combine(trainer, TrainerFile.Name)))
            Trained(TrainerFile.Load(trainer));
        return ExitCode.Done;
    }

    private static void Trained(TrainerFile file)
    {
        Line("trained by", $"{file.Stage}: {file.State.Step} steps, {file.State.Tokens:N0} tokens in "
            + $"{ProgressView.Time(file.State.Seconds)}");
        if (file.State.BestLoss is { } best)
            Line("best", file.Measure.DescribeBest(best));
        var options =
            file.Options.SelectMany(option => option.Value.Split('\n').Select(value => $"{option.Key} {Word(value)}"));
        foreach (string line in TextWrap.Pack(
            options.Prepend($"{"options",-13}"), " ", OutputConsole.Width ?? TerminalSize.Usual, Indent))
            Console.WriteLine(line);
    }

    // As it can be typed; a rate that an earlier version wrote as 5E-05 is 5e-5.
    private static string Word(string value) => value.Contains('E') && NumberText.TryParse(value, out double number)
        ? NumberText.Exact(number) : Shell.Quote(value);

    private static long CacheBytes(GptConfig c) => 2L * c.Layers * c.Context * c.KvHeads * c.HeadSize * sizeof(float);

    private static string MiB(long bytes) => $"{bytes / 1048576.0:F1} MiB";

    private static void Line(string name, string text) => OutputConsole.WriteLine($"{name,-13} {text}", Indent);
}
