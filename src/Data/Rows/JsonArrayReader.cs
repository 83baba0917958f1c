namespace TinyLlm.Data;

/// <summary>
/// Reads the elements of one array of JSON, on one line or many, in as much memory as the longest takes. It looks at
/// brackets and strings alone: whether an element is JSON is found by who parses it.
/// </summary>
/// <param name="path">The file, for messages.</param>
/// <param name="stream">UTF-8, whose first byte that is no white space opens the array.</param>
internal sealed class JsonArrayReader(string path, Stream stream)
{
    private const int End = -1;

    private byte[] buffer = new byte[1 << 16];
    private int start, position, end; // of the element that is read, in the buffer
    private long line = 1, row;

    /// <summary>The elements.</summary>
    /// <exception cref="TinyLlmException">While reading: the array does not end, an element is missing or too long, or
    /// something stands behind the array.</exception>
    public IEnumerable<RowText> Read()
    {
        NextByte();
        Skip(1);
        for (int next = NextByte(); !(next == ']' && row == 0); next = NextByte())
        {
            row++;
            long firstLine = line;
            ScanElement(next);
            yield return new RowText(RowPlace.Row(path, row), buffer.AsMemory(start, position - start), firstLine, []);
            start = position;
            next = NextByte();
            if (next == ']')
                break;
            if (next != ',')
                throw next == End ? CutOff() : Fault("expected a comma or a closing bracket behind the row");
            Skip(1);
        }

        Skip(1);
        if (NextByte() != End)
            throw Fault("there is more behind the array; expected all rows in one array, or one object a line");
    }

    // Leaves white space out; the byte that follows, or End.
    private int NextByte()
    {
        for (; ; Skip(1))
        {
            int next = Peek();
            if (next == '\n')
                line++;
            if (next is not (' ' or '\t' or '\r' or '\n'))
                return next;
        }
    }

    private void Skip(int bytes) => start = position += bytes;

    private int Peek() => position < end || Fill() ? buffer[position] : End;

    private void ScanElement(int first)
    {
        if (first is ',' or ']')
            throw Fault("there is a comma, but no row behind it");
        if (first == End)
            throw CutOff();
        if (first is not ('{' or '['))
        {
            ScanUntil(",] \t\r\n"u8);
            return;
        }

        int depth = 0;
        do
        {
            switch (Peek())
            {
                case End:
                    throw CutOff();
                case '{' or '[':
                    depth++;
                    break;
                case '}' or ']':
                    depth--;
                    break;
                case '\n':
                    line++;
                    break;
                case '"':
                    ScanString();
                    break;
            }

            position++;
        }
        while (depth > 0);
    }

    // A number, a literal or a string, which are no rows.
    private void ScanUntil(ReadOnlySpan<byte> ends)
    {
        for (int next; (next = Peek()) != End && !ends.Contains((byte)next); position++)
        {
            if (next == '"')
                ScanString();
        }
    }

    // From the quote that opens it to the one that closes it, which is the next byte then.
    private void ScanString()
    {
        for (position++; ; position++)
        {
            int next = Peek();
            if (next == '\\')
                position++; // whatever follows ends nothing
            else if (next == '"')
                return;
            else if (next == End)
                throw CutOff();
        }
    }

    // Moves what is begun to the front, makes room, reads on; behind an escape at the end of the buffer that is more
    // than one byte.
    private bool Fill()
    {
        buffer.AsSpan(start, end - start).CopyTo(buffer);
        (start, position, end) = (0, position - start, end - start);
        while (position >= end)
        {
            if (end > JsonLines.MaxLineBytes)
            {
                throw Fault($"the row is longer than {JsonLines.MaxLineBytes >> 20} MiB; expected an array of shorter "
                    + "ones");
            }

            if (end == buffer.Length)
                Array.Resize(ref buffer, 2 * buffer.Length);
            int read = stream.Read(buffer.AsSpan(end));
            if (read == 0)
                return false;
            end += read;
        }

        return true;
    }

    private TinyLlmException CutOff() =>
        Fault("the file ends within the array; it is cut short, or lacks a bracket or a quote");

    private TinyLlmException Fault(string fault) =>
        new($"{RowPlace.Row(path, Math.Max(row, 1))}: {fault}. Mend the file.");
}
