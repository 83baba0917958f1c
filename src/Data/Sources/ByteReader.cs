namespace TinyLlm.Data.Sources;

/// <summary>
/// Reads files that are text as a whole, and can be cut where a line or a word ends. Each part begins at the first such
/// place at or after its start and ends at the first at or after its end, so that the parts together are the file.
/// </summary>
internal abstract class ByteReader(SourceFile file, SourceOptions options) : FileReader(file, options)
{
    /// <inheritdoc/>
    public override IEnumerable<FilePart> Cut(long bytes)
    {
        if (File.Length <= bytes || File.Format.Compression != Compression.None
            || DetectEncoding().Encoding is not null)
        {
            yield return new FilePart(this, 0, File.Length, File.Length);
            yield break;
        }

        for (long start = 0; start < File.Length; start += bytes)
        {
            long end = Math.Min(start + bytes, File.Length);
            yield return new FilePart(this, start, end, end - start);
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<TextPiece> Read(FilePart part, ReadReport report)
    {
        var encoding = DetectEncoding();
        if (encoding.Encoding is not null || File.Format.Compression != Compression.None)
        {
            var replacement = new NotedReplacement();
            using Stream whole = encoding.Open(File, replacement);
            foreach (var piece in Read(whole, 0, endsFile: true, report))
                yield return piece;
            if (replacement.WasNeeded)
                report.AddFileNotUtf8(File.Path);
            yield break;
        }

        using Stream stream = File.Open();
        long start = part.Start == 0 ? encoding.MarkBytes
            : PlaceAtOrAfter(stream, part.Start), end = PlaceAtOrAfter(stream, part.End);
        if (start == end && part.Start > 0)
            yield break;

        using var range = new RangeStream(stream, File, start, end);
        foreach (var piece in Read(range, start, endsFile: end == File.Length, report))
            yield return piece;
    }

    /// <inheritdoc/>
    public override string Describe(FilePart part) => part.Start == 0 && part.End == File.Length ? File.Path
        : $"{File.Path}, bytes {part.Start:N0} to {part.End:N0}";

    /// <summary>
    /// The first place at or after an offset where this format can be cut: a function of the file and the offset alone.
    /// </summary>
    /// <param name="stream">The file, to be read from anywhere.</param>
    /// <param name="offset">Above 0 and below the file's length.</param>
    protected abstract long FindPlace(Stream stream, long offset);

    /// <summary>The text of a range of the file.</summary>
    /// <param name="stream">UTF-8 or any bytes, to be read to its end.</param>
    /// <param name="start">Where in the file it begins.</param>
    /// <param name="endsFile">Whether the file ends with it.</param>
    /// <param name="report">Counts what was read.</param>
    protected abstract IEnumerable<TextPiece> Read(Stream stream, long start, bool endsFile, ReadReport report);

    private long PlaceAtOrAfter(Stream stream, long offset) => offset == 0 || offset >= File.Length ? offset
        : FindPlace(stream, offset);

    private TextEncoding DetectEncoding() => TextEncoding.Of(File, Options.Encoding);
}
