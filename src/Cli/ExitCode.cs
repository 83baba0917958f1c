namespace TinyLlm.Cli;

/// <summary>How the program ends.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>The parser refused the words: an unknown option, not a number, not in the list.</summary>
    public const int Refused = 1;

    /// <summary>A value or file was refused, or a run failed; one line on stderr says why.</summary>
    public const int Failed = 2;

    /// <summary>A fault in the program itself; one line on stderr says what to report.</summary>
    public const int Fault = 70;

    /// <summary>Ctrl-C, SIGTERM or the end of the terminal, after a checkpoint.</summary>
    public const int Interrupted = 130;
}
