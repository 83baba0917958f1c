using System.CommandLine;
using TinyLlm.Data;
using TinyLlm.Data.Downloads;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm data get</c>: downloads a well-known data set, or goes on with it.</summary>
internal static class DataGetCommand
{
    // Not data/, which in TinyLlm's own sources holds the built-in corpora.
    private const string DefaultRoot = "datasets";

    private const int MostNames = 3;

    public static Command Create()
    {
        var name = new Argument<string>("NAME") { Description = "Name of the set: see tinyllm data list." };
        var folder = LoopOptions.Path<string?>("--out", "DIR", $"Folder of the set; default: {DefaultRoot}/NAME.");
        var host = LoopOptions.Text("--url-base", "URL", "Host that has the same paths as the set's own: a mirror.");
        var accept = new Option<bool>(
            "--accept-new")
        { Description = "Take files other than the expected ones, and expect them from now on." };
        var command = new Command("get", "Download a data set, or go on with a download; files that are there are "
            + "checked.") { name, folder, host, accept };
        command.SetAction((parse, stop) =>
        {
            var settings =
                new DownloadSettings { UrlBase = ReadHost(parse.GetValue(host)), AcceptNew = parse.GetValue(accept) };
            var set = DataSets.Find(parse.GetValue(name)!);
            return RunAsync(new DataSetFolder(set, parse.GetValue(folder) ?? DefaultFolder(set)), settings, stop);
        });
        return command;
    }

    /// <summary>Where a set goes unless --out says otherwise, seen from the current folder.</summary>
    public static string DefaultFolder(DataSet set) => Path.Combine(DefaultRoot, set.Name);

    /// <summary>The command that takes a set.</summary>
    public static string CommandName(DataUse use) => use == DataUse.Pretrain ? "pretrain" : "finetune";

    private static async Task<int> RunAsync(DataSetFolder folder, DownloadSettings settings, CancellationToken stop)
    {
        var set = folder.Set;
        var view = new DownloadView();
        try
        {
            bool fetched = await view.RunAsync(() => new DataSetDownload(folder, settings, view).RunAsync(stop));
            string files = string.Join(", ", set.Files.Select(file => file.Name));
            OutputConsole.WriteLine($"{set.Name} is {(fetched ? "now" : "already")} in {folder.Path}: {files}. "
                + $"Licence: {set.Licence}; {set.Page}");
            Console.WriteLine("Try next:");
            Console.WriteLine($"  {Launcher.Command} {Suggestion(folder)}");
            return ExitCode.Done;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            string kept = view.Last.Bytes > 0 ? $"; {DownloadView.Size(view.Last.Bytes)} of {view.Last.File} are kept"
                : "";
            ErrorConsole.WriteLine($"Interrupted{kept}. The same command goes on.");
            return ExitCode.Interrupted;
        }
    }

    private static string Suggestion(DataSetFolder folder)
    {
        string model = folder.Set.Use == DataUse.Finetune ? " --model DIR" : "";
        return $"{CommandName(folder.Set.Use)}{model}{Options("--data", folder, Split.Train)}"
            + Options("--val-data", folder, Split.Validation);
    }

    // The folder stands for its files where there are too many to read.
    private static string Options(string name, DataSetFolder folder, Split split)
    {
        var files = folder.Set.Files.Where(file => file.Split == split).ToList();
        return files.Count > MostNames && files.Count == folder.Set.Files.Count()
            ? $" {name} {Shell.Quote(folder.Path)}"
            : string.Concat(files.Select(file => $" {name} {Shell.Quote(folder.PathOf(file))}"));
    }

    private static Uri? ReadHost(string? text)
    {
        if (text is null)
            return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http"
            && uri.PathAndQuery == "/")
            return uri;
        throw new TinyLlmException($"--url-base {text.ReplaceLineEndings(" ")}: expected a host, such as "
            + "https://hf-mirror.com, without a path.");
    }
}
