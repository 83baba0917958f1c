using System.CommandLine;

namespace TinyLlm.Cli.Commands;

/// <summary><c>tinyllm data list|get|stats</c>: one file a subcommand.</summary>
internal static class DataCommand
{
    public static Command Create() => new("data", "Well-known data sets, and what is in your own data.")
    {
        DataListCommand.Create(),
        DataGetCommand.Create(),
        DataStatsCommand.Create(),
    };
}
