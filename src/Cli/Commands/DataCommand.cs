using System.CommandLine;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm data list|get</c>: one file a subcommand.</summary>
internal static class DataCommand
{
    public static Command Create() => new("data", "Well-known data sets: what there is, and how to get it.")
    {
        DataListCommand.Create(),
        DataGetCommand.Create(),
    };
}
