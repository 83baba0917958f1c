namespace TinyLlm.Training.Data.Sources;

/// <summary>Reads text files: each is one document.</summary>
internal static class TextFiles
{
    /// <summary>
    /// The pieces of a part. It begins at the first <see cref="Model.Tokenizers.TextCut"/> at or after its start, and ends at the first at or after its end, so that the parts
    /// together are the file.
    /// </summary>
    public static IEnumerable<TextPiece> Read(FilePart part, SourceOptions options, ReadReport report)
    {
        using Stream stream = part.File.Open();
        long start = CutAtOrAfter(stream, part.Start, part.File), end = CutAtOrAfter(stream, part.End, part.File);
        if (start == end && part.File.Length > 0)
            yield break;

        stream.Position = start;
        foreach (var piece in TextPieces.Read(stream, end - start, part.File, endsDocument: end == part.File.Length, report))
            yield return piece;
    }

    // A function of the file and the offset alone: the part before ends where this one begins.
    private static long CutAtOrAfter(Stream stream, long offset, SourceFile file)
    {
        if (offset == 0 || offset >= file.Length)
            return offset;

        long start = Math.Max(0, offset - PieceCut.Context);
        int place = (int)(offset - start), limit = place + PieceCut.Longest;
        byte[] window = new byte[1 << 12];
        stream.Position = start;
        for (int filled = 0, searched = place; ;)
        {
            if (filled == window.Length)
                Array.Resize(ref window, 2 * window.Length);
            int read = stream.Read(window.AsSpan(filled));
            if (read == 0 && start + filled < file.Length)
                throw file.Changed();
            filled += read;
            int found = PieceCut.AtOrAfter(window.AsSpan(0, filled), searched);
            if (found > 0 && found <= limit)
                return start + found;
            if (filled >= limit + PieceCut.Context)
                return start + PieceCut.CharacterStart(window.AsSpan(0, filled), limit);
            if (read == 0)
                return file.Length;
            searched = Math.Max(place, filled - PieceCut.Context);
        }
    }
}
