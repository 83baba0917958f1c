using System.CommandLine;
using TinyLlm.Data;
using TinyLlm.Data.Downloads;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm data list</c>: the data sets that are built in or can be downloaded.</summary>
internal static class DataListCommand
{
    private const string BuiltinPage = "made by tinyllm itself; data/README.md";

    public static Command Create()
    {
        var command = new Command("list", "List the data sets: name, size, licence, whether it is there, what it is "
            + "and where it comes from.");
        command.SetAction(_ =>
        {
            Write("name", "size", "for", "licence", "here");
            WriteBuiltin(BuiltinData.StoriesName, DataUse.Pretrain, "10,600 short stories");
            WriteBuiltin(BuiltinData.QuestionsName, DataUse.Finetune, "31,590 questions with exact answers");
            foreach (var set in DataSets.All)
                Write(set);
            Console.WriteLine();
            Console.WriteLine($"Get one with: {Launcher.Command} data get NAME");
            return ExitCode.Done;
        });
        return command;
    }

    private static void WriteBuiltin(string name, DataUse use, string description)
    {
        Write(TextData.BuiltinPrefix + name, "-", DataGetCommand.CommandName(use), "MIT", "built in");
        WriteDetails(description, BuiltinPage);
    }

    private static void Write(DataSet set)
    {
        string folder = DataGetCommand.DefaultFolder(set);
        string here = new DataSetFolder(set, folder).State switch
        {
            DataSetState.Present => folder,
            DataSetState.Partial => $"in part: {folder}",
            _ => "-",
        };
        Write(set.Name, set.Bytes is { } bytes ? DownloadView.Size(bytes)
            : "?", DataGetCommand.CommandName(set.Use), set.Licence, here);
        WriteDetails(set.Description, set.Page);
    }

    private static void Write(string name, string size, string use, string licence, string here) =>
        Console.WriteLine($"{name,-22}{size,9}  {use,-10}{licence,-18}{here}");

    private static void WriteDetails(string description, string page)
    {
        OutputConsole.WriteLine($"    {description}", 4);
        Console.WriteLine($"    {page}");
    }
}
