using System.Text.Unicode;

namespace TinyLlm.Data.Sources;

/// <summary>
/// Reads a text file of several documents, with lines between them that are exactly the separator. Such a line, and the
/// line end before it, belong to no document. The file is cut as one document would be, but never at a separator: a
/// part begins with a document, or with text of one that began before.
/// </summary>
internal sealed class SeparatedTextReader(SourceFile file, SourceOptions options, string separator)
    : TextFileReader(file, options)
{
    private readonly SeparatorLine separator = new(separator);

    /// <inheritdoc/>
    protected override long FindPlace(Stream stream, long offset) =>
        separator.PlaceAtOrAfter(stream, base.FindPlace(stream, offset), File.Length);

    /// <inheritdoc/>
    protected override IEnumerable<TextPiece> Read(Stream stream, long start, bool endsFile, ReadReport report)
    {
        // The document goes on at begin. Between begin and searched there is no separator, and what is before searched
        // is text of the document for certain.
        byte[] buffer = new byte[1 << 16];
        int begin = 0, searched = 0, end = 0;
        bool isComplete = false, hasText = false, isValid = true, isEmpty = true;
        while (true)
        {
            // Where a part ends that does not end the file, a line goes on.
            bool isEnded = separator.Find(
                buffer.AsSpan(0, end), searched, isComplete && endsFile, out var line, out int undecided);
            searched = isEnded ? line.Start : isComplete ? end : Math.Max(searched, undecided);
            bool isAll = isEnded || isComplete;
            while (begin < searched
                && PieceCut.Next(buffer.AsSpan(begin, searched - begin), isAll, Options.Cut) is > 0 and int cut)
            {
                var piece = buffer.AsMemory(begin, cut);
                begin += cut;
                hasText = true;
                isValid &= Utf8.IsValid(piece.Span);
                report.AddText(cut);
                bool ends = begin == searched && (isEnded || isComplete && endsFile);
                if (ends)
                    report.AddDocument();
                yield return new TextPiece(piece, ends);
            }

            if (isEnded || isComplete)
            {
                if (!isValid)
                    report.AddDocumentNotUtf8();
                if (isEnded ? !hasText : isEmpty && endsFile)
                    report.AddEmptyDocuments(1);
            }

            if (isEnded)
            {
                (begin, searched, hasText, isValid) = (line.End, line.End, false, true);
                continue;
            }

            if (isComplete)
                yield break;

            // Move the rest to the front, with the byte before it, which tells whether a line begins there; make room,
            // read on.
            int kept = Math.Max(0, begin - 1);
            buffer.AsSpan(kept, end - kept).CopyTo(buffer);
            (begin, searched, end) = (begin - kept, searched - kept, end - kept);
            if (end == buffer.Length)
                Array.Resize(ref buffer, 2 * buffer.Length);
            int read = stream.Read(buffer.AsSpan(end));
            end += read;
            isComplete = read == 0;
            isEmpty &= isComplete;
        }
    }
}
