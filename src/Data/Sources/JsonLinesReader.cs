namespace TinyLlm.Data.Sources;

/// <summary>
/// Reads JSON lines: a document a line, the text in one field. It is cut between lines, and takes as much memory as the
/// longest line.
/// </summary>
internal sealed class JsonLinesReader : ByteReader
{
    // Whether any line of the whole file has the field: asked for when a part has none.
    private readonly Lazy<bool> hasFieldAnywhere;

    public JsonLinesReader(SourceFile file, SourceOptions options)
        : base(file, options) => hasFieldAnywhere = new Lazy<bool>(FindField);

    /// <inheritdoc/>
    protected override IEnumerable<TextPiece> Read(Stream stream, long start, bool endsFile, ReadReport report)
    {
        var field = new JsonTextField(Options.TextField);
        var linesBefore = new Lazy<long>(() => CountLines(start));
        bool hasField = false;
        string? missing = null;
        foreach (JsonLine line in JsonLines.Read(File.Path, stream, () => linesBefore.Value))
        {
            if (line.IsBlank)
                continue;
            var text = field.Read(line.Bytes, out string reason);
            hasField |= field.HasField;
            if (field.IsObject && !field.HasField)
                missing ??= reason;
            if (text is null)
            {
                if (Options.Strict)
                {
                    throw new TinyLlmException($"{File.Path}, line {linesBefore.Value + line.Number}: {reason}. Mend "
                        + "the line, or read on without such lines by leaving out --strict.");
                }

                report.AddBadLine(File.Path, reason, () => linesBefore.Value + line.Number);
                continue;
            }

            foreach (var piece in TextPieces.Cut(text.Value, report, Options.Cut))
                yield return piece;
        }

        bool isWhole = start == 0 && endsFile;
        if (missing is not null && !hasField && (isWhole || !hasFieldAnywhere.Value))
        {
            throw new TinyLlmException($"{File.Path}: no line has the text; in the first object {missing}. Name the "
                + "field with the text by --text-field.");
        }
    }

    /// <inheritdoc/>
    protected override long FindPlace(Stream stream, long offset)
    {
        byte[] window = new byte[1 << 16];
        stream.Position = offset - 1;
        for (long position = offset - 1; ;)
        {
            int read = stream.Read(window);
            if (read == 0)
                return position == File.Length ? position : throw File.Changed();
            int found = window.AsSpan(0, read).IndexOf((byte)'\n');
            if (found >= 0)
                return position + found + 1;
            position += read;
        }
    }

    private bool FindField()
    {
        var field = new JsonTextField(Options.TextField);
        using Stream stream = File.Open();
        foreach (JsonLine line in JsonLines.Read(File.Path, stream, () => 0))
        {
            field.Read(line.Bytes, out _);
            if (field.HasField)
                return true;
        }

        return false;
    }

    private long CountLines(long end)
    {
        if (end == 0)
            return 0;
        byte[] window = new byte[1 << 16];
        using var stream = new RangeStream(File.Open(), File, 0, end);
        long count = 0;
        for (int read; (read = stream.Read(window)) > 0;)
            count += window.AsSpan(0, read).Count((byte)'\n');
        return count;
    }
}
