using Spectre.Console;
using TinyLlm.Cli.Terminal;

namespace TinyLlm.Cli;

/// <summary>The console on stderr: live and coloured on a terminal, plain lines elsewhere.</summary>
internal static class ErrorConsole
{
    private const int LongestLine = 1 << 16; // no line is cut or broken by the library

    // Narrower than this, a line that is written over itself says nothing, and wrapping makes a word a line.
    private const int NarrowestLive = 20;

    private static readonly Lazy<bool> TakesCodes = new(() => Open().Profile.Capabilities.Ansi);

    /// <summary>Whether stderr is a terminal where a line can be written over itself.</summary>
    public static bool IsLive => TerminalSize.ErrorColumns >= NarrowestLive && TakesCodes.Value;

    /// <summary>
    /// Cells of a line: those of the terminal, and no end of them in a file, a pipe, or a terminal that is too narrow
    /// for words.
    /// </summary>
    public static int Width => TerminalSize.ErrorColumns is >= NarrowestLive and { } columns ? columns : int.MaxValue;

    /// <summary>Writes a message, broken between words on a terminal.</summary>
    public static void WriteLine(string text) => WriteLine(text, Console.Error);

    /// <summary>Writes a message to a writer that leads to stderr.</summary>
    public static void WriteLine(string text, TextWriter error)
    {
        foreach (string line in TextWrap.Message(text, Launcher.Command, Width))
            error.WriteLine(line);
    }

    /// <summary>Opens it.</summary>
    public static IAnsiConsole Open()
    {
        // Into a file or a pipe there are no escape codes, although the library would write them where it knows a build
        // server by its environment.
        bool terminal = !Console.IsErrorRedirected;
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Console.Error),
            Ansi = terminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = terminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = terminal },
        });
        console.Profile.Width = LongestLine;
        return console;
    }
}
