using System.CommandLine;
using System.Text.RegularExpressions;
using TinyLlm.Cli.Parsing;

namespace TinyLlm.Cli;

/// <summary>
/// What the parser refused, as one line: the reasons, a near name for a mistyped one, and where to read on.
/// </summary>
internal static partial class ParserErrors
{
    /// <summary>The line for a command line that has errors.</summary>
    public static string Describe(ParseResult parse)
    {
        string reasons = string.Join(" ", parse.Errors.Select(error => Reword(error.Message)).Distinct());
        string near = parse.UnmatchedTokens.Select(word => NearWord.Find(word, Names(parse.CommandResult.Command)))
            .FirstOrDefault(name => name is not null) is { } name
            ? $" Did you mean {name}?"
            : "";
        return $"{reasons}{near} See: {Launcher.Command} {string.Join("", Path(parse).Select(c => c + " "))}--help";
    }

    private static IEnumerable<string> Names(Command command) =>
        command.Subcommands.Select(c => c.Name).Concat(command.Options.Where(o => !o.Hidden).Select(o => o.Name));

    // The words from the program to the command: tokenizer train.
    private static IEnumerable<string> Path(ParseResult parse)
    {
        var path = new Stack<string>();
        for (var command = parse.CommandResult; command.Parent
            is System.CommandLine.Parsing.CommandResult parent; command = parent)
            path.Push(command.Command.Name);
        return path;
    }

    // The parser lists values on lines of their own.
    private static string Reword(string message) => Spaces().Replace(message, " ").Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
