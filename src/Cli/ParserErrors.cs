using System.CommandLine;
using System.Text.RegularExpressions;

namespace TinyLlm.Cli;

/// <summary>What the parser refused, as one line: the reasons, a near name for a mistyped one, and where to read on.</summary>
internal static partial class ParserErrors
{
    private const int NearEnough = 2;

    /// <summary>The line for a command line that has errors.</summary>
    public static string Describe(ParseResult parse)
    {
        string reasons = string.Join(" ", parse.Errors.Select(error => Reword(error.Message)).Distinct());
        string near = parse.UnmatchedTokens.Select(word => Nearest(word, Names(parse.CommandResult.Command))).FirstOrDefault(name => name is not null) is { } name
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
        for (var command = parse.CommandResult; command.Parent is System.CommandLine.Parsing.CommandResult parent; command = parent)
            path.Push(command.Command.Name);
        return path;
    }

    private static string? Nearest(string word, IEnumerable<string> names)
    {
        // A value that stands where nothing belongs is no mistyped name.
        string? nearest = names.MinBy(name => Distance(word, name));
        return word.Length > NearEnough && nearest is not null && Distance(word, nearest) <= NearEnough ? nearest : null;
    }

    // Letters to insert, delete or change (V. Levenshtein, 1966), row by row.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[^1];
    }

    // The parser lists values on lines of their own, and names types as .NET does.
    private static string Reword(string message)
    {
        string line = Spaces().Replace(message, " ").Trim();
        return TypeName().Replace(line, match => match.Groups[1].Value switch
        {
            "Int32" => "a whole number.",
            "UInt64" => "a whole number from 0.",
            "Single" or "Double" => "a number.",
            _ => match.Value,
        });
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"expected type 'System\.(?:Nullable`1\[System\.)?(\w+)\]?'\.")]
    private static partial Regex TypeName();
}
