namespace TinyLlm.Data;

/// <summary>One line of a file, without its line feed.</summary>
/// <param name="Number">Line number from 1.</param>
/// <param name="Bytes">The bytes; valid until the next line is asked for.</param>
/// <param name="Complete">Whether a line feed ended it; only the last line of a file can lack it.</param>
internal readonly record struct JsonLine(long Number, ReadOnlyMemory<byte> Bytes, bool Complete)
{
    /// <summary>Whether there is nothing but white space.</summary>
    public bool IsBlank => Bytes.Span.Trim(" \t\r"u8).IsEmpty;
}

/// <summary>
/// Reads a file line by line as bytes, so that any size is read in little memory and line numbers hold whatever the
/// bytes are.
/// </summary>
internal static class JsonLines
{
    /// <summary>
    /// The longest line in bytes: far above any row, and below what a file without line feeds would take.
    /// </summary>
    public const int MaxLineBytes = 64 << 20;

    /// <summary>The lines of a file; a byte order mark before the first is left out.</summary>
    /// <exception cref="TinyLlmException">The file cannot be read, or a line is too long.</exception>
    public static IEnumerable<JsonLine> Read(string path)
    {
        using FileStream stream = Open(path);
        foreach (JsonLine line in Read(path, buffer => Read(path, stream, buffer.Span), () => 0))
            yield return line;
    }

    /// <summary>The lines of a stream whose own errors name the file.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="stream">Where to read on, at the beginning of a line.</param>
    /// <param name="linesBefore">How many lines of the file lie before that; asked only when a line is too long.
    /// <see cref="JsonLine.Number"/> leaves them out.</param>
    /// <exception cref="TinyLlmException">A line is too long, or what the stream throws.</exception>
    public static IEnumerable<JsonLine> Read(string path, Stream stream, Func<long> linesBefore) =>
        Read(path, buffer => stream.Read(buffer.Span), linesBefore);

    private static IEnumerable<JsonLine> Read(string path, Func<Memory<byte>, int> fill, Func<long> linesBefore)
    {
        byte[] buffer = new byte[1 << 16];
        int start = 0, searched = 0, end = 0;
        long number = 0;
        while (true)
        {
            int length = buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n');
            if (length >= 0)
            {
                int stop = searched + length;
                yield return Line(++number, buffer, start, stop, complete: true);
                start = searched = stop + 1;
                continue;
            }

            // No line feed yet: move the begun line to the front, make room, read on.
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, searched, end) = (0, end - start, end - start);
            if (end > MaxLineBytes)
            {
                throw new TinyLlmException($"{path}, line {linesBefore() + number + 1}: longer than "
                    + $"{MaxLineBytes >> 20} MiB; expected one JSON object a line. Put each row on a line of its own.");
            }

            if (end == buffer.Length)
                Array.Resize(ref buffer, 2 * buffer.Length);
            int read = fill(buffer.AsMemory(end));
            if (read == 0)
                break;
            end += read;
        }

        if (end > start)
            yield return Line(++number, buffer, start, end, complete: false);
    }

    private static JsonLine Line(long number, byte[] buffer, int start, int end, bool complete)
    {
        ReadOnlyMemory<byte> bytes = buffer.AsMemory(start, end - start);
        if (number == 1 && bytes.Span.StartsWith("\uFEFF"u8))
            bytes = bytes[3..];
        return new JsonLine(number, bytes, complete);
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Reading(path, exception);
        }
    }

    private static int Read(string path, FileStream stream, Span<byte> destination)
    {
        try
        {
            return stream.Read(destination);
        }
        catch (Exception exception) when (FileErrors.Is(exception))
        {
            throw FileErrors.Reading(path, exception);
        }
    }
}
