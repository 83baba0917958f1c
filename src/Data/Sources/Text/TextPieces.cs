using System.Text.Unicode;
using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Sources;

/// <summary>Cuts documents into pieces.</summary>
internal static class TextPieces
{
    /// <summary>The pieces of a document of any length, read into a buffer that does not grow with it.</summary>
    /// <param name="stream">UTF-8 or any bytes, read to its end.</param>
    /// <param name="file">The file, which counts once in the report if it is not valid UTF-8.</param>
    /// <param name="endsDocument">Whether the document ends with the stream.</param>
    /// <param name="report">Counts what was read.</param>
    /// <param name="cuts">Where text can be cut.</param>
    public static IEnumerable<TextPiece> Read(
        Stream stream, SourceFile file, bool endsDocument, ReadReport report, TextCut cuts)
    {
        byte[] buffer = new byte[1 << 16];
        int start = 0, end = 0;
        bool isComplete = false, isEmpty = true;
        while (!isComplete || start < end)
        {
            int cut = PieceCut.Next(buffer.AsSpan(start, end - start), isComplete, cuts);
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
            int read = stream.Read(buffer.AsSpan(end));
            end += read;
            isComplete = read == 0;
        }

        if (isEmpty && endsDocument)
            report.AddEmptyDocuments(1);
    }

    /// <summary>The pieces of a document that is in memory.</summary>
    public static IEnumerable<TextPiece> Cut(ReadOnlyMemory<byte> document, ReadReport report, TextCut cuts)
    {
        if (document.IsEmpty)
        {
            report.AddEmptyDocuments(1);
            yield break;
        }

        report.AddText(document.Length);
        report.AddDocument();
        if (!Utf8.IsValid(document.Span))
            report.AddDocumentNotUtf8();
        while (!document.IsEmpty)
        {
            int cut = PieceCut.Next(document.Span, isComplete: true, cuts);
            yield return new TextPiece(document[..cut], cut == document.Length);
            document = document[cut..];
        }
    }
}
