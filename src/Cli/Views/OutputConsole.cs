using TinyLlm.Cli.Terminal;

namespace TinyLlm.Cli;

/// <summary>Lines on stdout: between words broken on a terminal, whole in a file or a pipe.</summary>
internal static class OutputConsole
{
    private const int NarrowestWrapped = 20;

    /// <summary>
    /// Cells of a line on a terminal; null in a file, a pipe, or a terminal that is too narrow for words.
    /// </summary>
    public static int? Width => TerminalSize.OutputColumns is >= NarrowestWrapped and { } columns ? columns : null;

    /// <summary>Writes a line, whose further lines are indented.</summary>
    public static void WriteLine(string text, int indent = 0)
    {
        foreach (string line in TextWrap.Lines(text, Width ?? int.MaxValue, indent))
            Console.WriteLine(line);
    }
}
