using System.Reflection;

namespace TinyLlm.Cli;

/// <summary>
/// What the user sees of an exception: one line on stderr and an exit code, never a stack trace that nobody asked for.
/// </summary>
internal static class Fault
{
    /// <summary>With this variable set to 1 a fault of the program shows where it arose, too.</summary>
    public const string StackTraceVariable = "TINYLLM_STACKTRACE";

    /// <summary>Writes an exception's line.</summary>
    /// <returns>The exit code.</returns>
    public static int Report(Exception exception, TextWriter error)
    {
        var cause = Cause(exception);
        int code = cause switch
        {
            TinyLlmException or OutOfMemoryException or IOException or UnauthorizedAccessException => ExitCode.Failed,
            OperationCanceledException => ExitCode.Interrupted,
            _ => ExitCode.Fault,
        };
        ErrorConsole.WriteLine($"tinyllm: {OneLine(cause switch
        {
            OperationCanceledException => "interrupted.",
            OutOfMemoryException =>
                "not enough memory; a smaller --batch-size, --accumulate, --context or model shrinks what is needed.",
            _ when code == ExitCode.Fault =>
                $"{cause.GetType().Name}: {cause.Message} This is a fault in TinyLlm: "
                + "please report it with the command and this line to the project's issues.",
            _ => cause.Message,
        })}", error);
        if (code == ExitCode.Fault && Environment.GetEnvironmentVariable(StackTraceVariable) == "1")
            error.WriteLine(exception);
        return code;
    }

    /// <summary>Reports what no handler caught, on whatever thread, and ends the program.</summary>
    public static void ReportUnhandled() =>
        AppDomain.CurrentDomain.UnhandledException += (_, e) =>
            Environment.Exit(Report((Exception)e.ExceptionObject, Console.Error));

    /// <summary>
    /// A text as one line: line breaks and other control characters, of file names for instance, become spaces.
    /// </summary>
    public static string OneLine(string text) => string.Create(text.Length, text, (line, source) =>
    {
        for (int i = 0; i < line.Length; i++)
            line[i] = char.IsControl(source[i]) ? ' ' : source[i];
    });

    // What happened, out of what only carried it here.
    private static Exception Cause(Exception exception) => exception switch
    {
        AggregateException { InnerExceptions: [var first, ..] } => Cause(first),
        TargetInvocationException or TypeInitializationException when exception.InnerException is { } inner =>
            Cause(inner),
        _ => exception,
    };
}
