namespace TinyLlm.Cli;

/// <summary>How the program ends. 1 is the parser's: it refused the words.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>A value or file was refused, or a run failed; one line on stderr says why.</summary>
    public const int Failed = 2;

    /// <summary>Ctrl-C or SIGTERM, after a checkpoint.</summary>
    public const int Interrupted = 130;
}
