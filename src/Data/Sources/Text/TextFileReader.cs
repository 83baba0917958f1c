namespace TinyLlm.Data.Sources;

/// <summary>Reads a text file, which is one document. It is cut at a <see cref="Tokenizers.TextCut"/>.</summary>
internal class TextFileReader(SourceFile file, SourceOptions options) : ByteReader(file, options)
{
    /// <inheritdoc/>
    protected override IEnumerable<TextPiece> Read(Stream stream, long start, bool endsFile, ReadReport report) =>
        TextPieces.Read(stream, File, endsFile, report, Options.Cut);

    /// <inheritdoc/>
    protected override long FindPlace(Stream stream, long offset)
    {
        long start = Math.Max(0, offset - Options.Cut.Context);
        int place = (int)(offset - start), limit = place + PieceCut.Longest;
        byte[] window = new byte[1 << 12];
        stream.Position = start;
        for (int filled = 0, searched = place; ;)
        {
            if (filled == window.Length)
                Array.Resize(ref window, 2 * window.Length);
            int read = stream.Read(window.AsSpan(filled));
            if (read == 0 && start + filled < File.Length)
                throw File.Changed();
            filled += read;
            int found = Options.Cut.First(window.AsSpan(0, filled), searched);
            if (found > 0 && found <= limit)
                return start + found;
            if (filled >= limit + Options.Cut.Context)
                return start + PieceCut.CharacterStart(window.AsSpan(0, filled), limit);
            if (read == 0)
                return File.Length;
            searched = Math.Max(place, filled - Options.Cut.Context);
        }
    }
}
