using System.CommandLine;
using System.CommandLine.Invocation;
using TinyLlm.Cli.Terminal;

namespace TinyLlm.Cli;

/// <summary>Runs the command that a command line names.</summary>
internal static class CommandRun
{
    /// <summary>Parses and runs.</summary>
    /// <param name="root">The tree of commands.</param>
    /// <param name="words">The command line.</param>
    /// <param name="error">Where one line goes if it does not work out.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(RootCommand root, string[] words, TextWriter error)
    {
        try
        {
            var parse = CommandTree.Parse(root, words);
            if (parse.Action is ParseErrorAction)
            {
                ErrorConsole.WriteLine($"tinyllm: {Fault.OneLine(ParserErrors.Describe(parse))}", error);
                return ExitCode.Refused;
            }

            // A command that takes no token ends where a signal finds it.
            using var signals = parse.Action is AsynchronousCommandLineAction ? new Signals() : null;
            var configuration = new InvocationConfiguration
            {
                ProcessTerminationTimeout = null,
                EnableDefaultExceptionHandler = false,
            };
            return await parse.InvokeAsync(configuration, signals?.Token ?? CancellationToken.None);
        }
        catch (Exception e)
        {
            return Fault.Report(e, error);
        }
    }
}
