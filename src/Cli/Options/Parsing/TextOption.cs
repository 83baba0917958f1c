using System.CommandLine;

namespace TinyLlm.Cli.Parsing;

/// <summary>
/// An option whose value is a person's text, which may be anything: the next word is its value also where it looks like
/// an option or is --, and --prompt= is the empty text.
/// </summary>
internal sealed class TextOption<T>(string name) : Option<T>(name), ITextOption;

/// <summary>A <see cref="TextOption{T}"/> of any type.</summary>
internal interface ITextOption;

/// <summary>Words of the command line, arranged so that the parser takes texts as they are.</summary>
internal static class TextWords
{
    /// <summary>
    /// Joins each text to its option's name (--prompt=TEXT): apart, the parser would take a text such as --top-k=5 for
    /// another option. It does not take an empty text that is joined, so that this one stands apart.
    /// </summary>
    /// <param name="root">The tree of commands.</param>
    /// <param name="words">The command line.</param>
    public static string[] Arrange(Command root, IReadOnlyList<string> words)
    {
        var command = root;
        var arranged = new List<string>();
        for (int i = 0; i < words.Count; i++)
        {
            string word = words[i];
            if (word == "--")
                return [.. arranged, .. words.Skip(i)];
            if (command.Subcommands.FirstOrDefault(below => below.Name == word) is { } below)
                command = below;
            if (Find(command, word) is not null && i + 1 < words.Count)
                arranged.AddRange(words[++i].Length > 0 ? [$"{word}={words[i]}"] : [word, ""]);
            else if (word.Length > 1 && word[^1] is '=' or ':' && Find(command, word[..^1]) is { } option)
                arranged.AddRange([option.Name, ""]);
            else
                arranged.Add(word);
        }

        return [.. arranged];
    }

    private static Option? Find(Command command, string name) =>
        command.Options.FirstOrDefault(option => option is ITextOption && option.Name == name);
}
