using System.Text.Unicode;

namespace TinyLlm.Training.Data.Sources;

/// <summary>Reads one document of any length in a buffer that does not grow with it.</summary>
internal static class TextPieces
{
    /// <summary>The pieces of a stream.</summary>
    /// <param name="stream">UTF-8 or any bytes, read to its end or to <paramref name="length"/>.</param>
    /// <param name="length">Bytes to read; null: to the end.</param>
    /// <param name="file">The file, for its error and for the report.</param>
    /// <param name="endsDocument">Whether the document ends with the last of these bytes.</param>
    /// <param name="report">Counts what was read.</param>
    public static IEnumerable<TextPiece> Read(Stream stream, long? length, SourceFile file, bool endsDocument, ReadReport report)
    {
        byte[] buffer = new byte[2 * PieceCut.Target];
        int start = 0, end = 0;
        long left = length ?? long.MaxValue;
        bool isComplete = false, isEmpty = true;
        while (!isComplete || start < end)
        {
            int cut = PieceCut.Next(buffer.AsSpan(start, end - start), isComplete);
            if (cut > 0)
            {
                var piece = buffer.AsMemory(start, cut);
                start += cut;
                isEmpty = false;
                report.AddText(cut);
                if (!Utf8.IsValid(piece.Span))
                    report.AddFileNotUtf8(file.Path);
                bool ends = endsDocument && isComplete && start == end;
                if (ends)
                    report.AddDocument();
                yield return new TextPiece(piece, ends);
                continue;
            }

            // Too little for a piece: move the rest to the front, make room, read on.
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
            if (end == buffer.Length)
                Array.Resize(ref buffer, 2 * buffer.Length);
            int read = stream.Read(buffer.AsSpan(end, (int)Math.Min(buffer.Length - end, left)));
            end += read;
            left -= read;
            if (read == 0 && left > 0 && length is not null)
                throw file.Changed();
            isComplete = read == 0 || left == 0;
        }

        if (isEmpty && endsDocument)
            report.AddEmptyDocument();
    }
}
