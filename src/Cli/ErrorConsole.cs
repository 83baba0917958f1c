using Spectre.Console;

namespace TinyLlm.Cli;

/// <summary>The console on stderr: live and coloured on a terminal, plain lines elsewhere.</summary>
internal static class ErrorConsole
{
    private const int LongestLine = 1 << 16; // lines in a file are as long as they are, not cut to a terminal's width

    /// <summary>Whether stderr is a terminal.</summary>
    public static bool IsLive => !Console.IsErrorRedirected;

    /// <summary>Opens it.</summary>
    public static IAnsiConsole Open()
    {
        // Into a file or a pipe there are no escape codes, although the library would write them where it knows a build server by its environment.
        bool live = IsLive;
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Console.Error),
            Ansi = live ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = live ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = live },
        });
        if (!live)
            console.Profile.Width = LongestLine;
        return console;
    }
}
