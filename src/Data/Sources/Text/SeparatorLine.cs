using System.Text;

namespace TinyLlm.Data.Sources;

/// <summary>
/// A line that ends a document: exactly the separator, with a line feed, a carriage return and a line feed, or the end
/// of the text behind it.
/// </summary>
/// <param name="separator">Not empty, without line ends.</param>
internal sealed class SeparatorLine(string separator)
{
    private readonly byte[] separator = Encoding.UTF8.GetBytes(separator);

    /// <summary>The most bytes that the line takes together with the line end before it, which goes with it.</summary>
    public int Longest => separator.Length + 4;

    /// <summary>Finds the first separator line in a text.</summary>
    /// <param name="text">Begins at the start of a line if <paramref name="from"/> is 0.</param>
    /// <param name="from">Where to search: the line itself begins there or later.</param>
    /// <param name="isComplete">Whether the text ends where <paramref name="text"/> ends.</param>
    /// <param name="line">Where the line end before it begins, or the line if that lies before <paramref name="from"/>,
    /// and where the next line begins.</param>
    /// <param name="undecided">If there is none: from where on it depends on more text.</param>
    public bool Find(
        ReadOnlySpan<byte> text, int from, bool isComplete, out (int Start, int End) line, out int undecided)
    {
        for (int at = from; text[at..].IndexOf(separator) is >= 0 and int found;)
        {
            int start = at + found, end = AfterLine(text, start + separator.Length, isComplete);
            if (end > 0 && (start == 0 || text[start - 1] == '\n'))
            {
                line = (Math.Max(from, BeforeLine(text, start)), end);
                undecided = 0;
                return true;
            }

            at = start + 1;
        }

        line = default;
        undecided = Math.Max(0, text.Length - Longest);
        return false;
    }

    /// <summary>
    /// The first place at or after another that lies neither inside what ends as a separator line does, nor between it
    /// and the line end before: there a text can be cut, and what follows begins with text, or with a document.
    /// </summary>
    /// <param name="stream">The text, to be read from anywhere.</param>
    /// <param name="place">Where it may be cut otherwise.</param>
    /// <param name="length">The length of the text.</param>
    public long PlaceAtOrAfter(Stream stream, long place, long length)
    {
        byte[] window = new byte[2 * Longest + 1];
        for (bool moved = true; moved && place < length;)
        {
            long start = Math.Max(0, place - separator.Length - 1);
            stream.Position = start;
            int read = stream.ReadAtLeast(window, window.Length, throwOnEndOfStream: false);
            var text = window.AsSpan(0, read);
            int at = (int)(place - start);
            moved = false;
            for (int from = 0; !moved && text[from..].IndexOf(separator) is >= 0 and int found; from += found + 1)
            {
                int end = AfterLine(text, from + found + separator.Length, isComplete: start + read == length);
                moved = end > at && BeforeLine(text, from + found) <= at;
                place = moved ? start + end : place;
            }
        }

        return place;
    }

    // Where the next line begins if a line ends here; else 0.
    private static int AfterLine(ReadOnlySpan<byte> text, int end, bool isComplete)
    {
        var rest = text[end..];
        return rest.StartsWith("\n"u8) ? end + 1 : rest.StartsWith("\r\n"u8) ? end + 2
            : isComplete && (rest.IsEmpty || rest is [(byte)'\r']) ? text.Length : 0;
    }

    private static int BeforeLine(ReadOnlySpan<byte> text, int start) => text[..start].EndsWith("\r\n"u8) ? start - 2
        : text[..start].EndsWith("\n"u8) ? start - 1 : start;
}
