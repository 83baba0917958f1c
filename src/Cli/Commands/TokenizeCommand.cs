using System.CommandLine;
using System.Globalization;
using TinyLlm.Data.Sources;
using TinyLlm.Data.Tokens;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm tokenize</c>: encodes text into shards that pretrain maps.</summary>
internal static class TokenizeCommand
{
    private static readonly Option<string[]> Data =
        LoopOptions.Path<string[]>("--data", "PATH", DataOptions.Help, required: true);
    private static readonly Option<string> TokenizerOption = LoopOptions.Path<string>(
        "--tokenizer", "DIR|NAME", "Folder with a tokenizer.json, or byte, cl100k or o200k.", required: true);
    private static readonly Option<string> Out = LoopOptions.Path<string>("--out", "DIR", "New folder for the shards; "
        + "the same command on an unfinished one goes on with it.", required: true);
    private static readonly ThreadsOption Threads = new();
    private static readonly DataOptions Reading = new();

    public static Command Create()
    {
        var command = new Command("tokenize", "Encode text of any size into files of tokens; can be stopped and "
            + "started again.") { Data, TokenizerOption, Out };
        Threads.AddTo(command);
        Reading.AddTo(command);
        command.SetAction((parse, stop) => Task.FromResult(Run(parse, stop)));
        return command;
    }

    private static int Run(ParseResult parse, CancellationToken stop)
    {
        int threads = Threads.Read(parse);
        SpooledInput.TakeAll(parse.GetValue(Data)!, stop);
        var sources = DataSource.Parse(parse.GetValue(Data)!, Reading.Read(parse));
        if (sources.FirstOrDefault(s => s.Weight is not null) is { } weighted)
        {
            throw new TinyLlmException(
                $"--data {weighted.Name}={weighted.Weight!.Value.ToString(CultureInfo.InvariantCulture)}: one folder "
                + "has no weights; tokenize each source into a folder of its own and give pretrain the weights.");
        }

        var tokenizer = TokenizerKinds.Open(parse.GetValue(TokenizerOption)!);
        string folder = parse.GetValue(Out)!;
        var preparation = new Preparation(sources, tokenizer, folder);
        using (var view = new PreparationView())
            preparation.Run(threads, view, stop);
        PreparationView.ShowBadLines(preparation.Report);
        using var tokens = PreparedTokens.Open(folder, tokenizer);
        OutputConsole.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{folder}: {tokens.Count:N0} tokens of {tokens.Documents:N0} documents, {tokens.TextBytes:N0} bytes "
            + $"({(double)tokens.TextBytes / tokens.Count:F2} bytes a token)."));
        Console.WriteLine($"Try next: {Launcher.Command} pretrain --data {Shell.Quote(folder)}");
        return ExitCode.Done;
    }
}
