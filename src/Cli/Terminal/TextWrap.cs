using System.Text;
using Spectre.Console;

namespace TinyLlm.Cli.Terminal;

/// <summary>Texts in lines that fit a terminal, broken between words.</summary>
internal static class TextWrap
{
    /// <summary>Cells that a text takes on a terminal: a character of Chinese takes two.</summary>
    public static int Cells(string text) => text.GetCellWidth();

    /// <summary>The lines of one line of text.</summary>
    /// <param name="text">The text, without line breaks.</param>
    /// <param name="width">Cells of a line.</param>
    /// <param name="indent">Cells that all lines but the first begin with.</param>
    /// <param name="breakWords">Whether a word that is longer than a line is broken, too; else it stays whole, so that
    /// a path can still be copied.</param>
    public static IEnumerable<string> Lines(string text, int width, int indent = 0, bool breakWords = false)
    {
        if (Cells(text) <= width)
            return [text];
        var words = text.Split(' ').AsEnumerable();
        if (breakWords)
            words = words.SelectMany(word => Parts(word, Math.Max(1, width - indent)));
        return Pack(words, " ", width, indent);
    }

    /// <summary>
    /// The lines of a message; from a command on that it suggests it is left to the terminal to break, so that the
    /// command can be copied.
    /// </summary>
    /// <param name="text">The message, without line breaks.</param>
    /// <param name="command">What suggested commands begin with.</param>
    /// <param name="width">Cells of a line.</param>
    public static IEnumerable<string> Message(string text, string command, int width)
    {
        int start = text.IndexOf(command + " ", StringComparison.Ordinal);
        return start < 0 || Cells(text) <= width ? Lines(text, width)
            : Pack(text[..start].TrimEnd().Split(' ').Append(text[start..]), " ", width, 0);
    }

    private static IEnumerable<string> Parts(string word, int width)
    {
        while (Cells(word) > width && Cut(word, width) is { Length: > 0 } part)
        {
            yield return part;
            word = word[part.Length..];
        }

        yield return word;
    }

    /// <summary>Lines of items, none of which is broken.</summary>
    public static IEnumerable<string> Pack(IEnumerable<string> items, string separator, int width, int indent)
    {
        var line = new StringBuilder();
        int cells = 0;
        bool any = false;
        foreach (string item in items)
        {
            int more = Cells(item);
            if (any && cells + separator.Length + more > width)
            {
                yield return line.ToString().TrimEnd();
                line.Clear().Append(' ', indent);
                (cells, any) = (indent, false);
            }

            if (any)
                line.Append(separator);
            line.Append(item);
            cells += more + (any ? separator.Length : 0);
            any = true;
        }

        yield return line.ToString();
    }

    /// <summary>The beginning of a text that takes at most <paramref name="width"/> cells.</summary>
    public static string Cut(string text, int width)
    {
        if (Cells(text) <= width)
            return text;
        var line = new StringBuilder();
        int cells = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            string character = rune.ToString();
            cells += Cells(character);
            if (cells > width)
                break;
            line.Append(character);
        }

        return line.ToString();
    }
}
