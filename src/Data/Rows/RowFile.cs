using System.Text.Json;
using TinyLlm.Data.Sources;

namespace TinyLlm.Data;

/// <summary>
/// Reads the rows of a file one after another, as JSON text: a Parquet file, an array of JSON, or JSON lines, which the
/// file's first bytes tell; compressed or not, in UTF-8 or what a byte order mark says.
/// </summary>
internal static class RowFile
{
    private const int NamesShown = 100;

    /// <summary>The rows.</summary>
    /// <exception cref="TinyLlmException">While reading: the file cannot be read, or is of another kind.</exception>
    public static IEnumerable<RowText> Read(string path)
    {
        if (UnreadFormat.ByName(path) is { } what)
            throw UnreadFormat.Refusal(path, what);
        var file = SourceFile.At(path);
        return IsParquet(file) ? ParquetRows.Read(file) : ReadText(file);
    }

    /// <summary>Whether a file may hold rows, by what its name or, where it has none, its first bytes say: then the
    /// first row tells.</summary>
    public static bool MayBe(string path) => File.Exists(path)
        && SourceFile.At(path).Format is { Content: Content.JsonLines or Content.Parquet } or { IsJson: true };

    /// <summary>The names of the fields of the first row that is an object; of a table those of its columns. Null where
    /// there is none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="place">Where that row is.</param>
    /// <exception cref="TinyLlmException">The file cannot be read.</exception>
    public static IReadOnlyList<string>? FirstNames(string path, out RowPlace place)
    {
        place = RowPlace.Row(path, 1);
        var file = SourceFile.At(path);
        if (IsParquet(file))
            return ParquetRows.Columns(file);
        foreach (var row in Read(path))
        {
            place = row.Place;
            if (Names(row) is { } names)
                return names;
            if (file.Format.Content != Content.JsonLines)
                break; // some other text
        }

        return null;
    }

    /// <summary>The names of a row's fields, the first hundred; null where it is no object.</summary>
    public static IReadOnlyList<string>? Names(RowText row)
    {
        try
        {
            using JsonDocument document = JsonText.Parse(row.Json);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? [.. document.RootElement.EnumerateObject().Take(NamesShown).Select(field => field.Name)] : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Whether a file's rows are read from a table or from JSON that pretraining takes for text: there, what
    /// is no row is a text.</summary>
    public static bool MayBeText(string path) => SourceFile.At(path).Format.Content != Content.JsonLines;

    private static bool IsParquet(SourceFile file)
    {
        if (file.Format.Content == Content.Parquet)
            return true;
        Span<byte> head = stackalloc byte[4];
        using var stream = file.Open();
        return stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length
            && head.SequenceEqual("PAR1"u8);
    }

    private static IEnumerable<RowText> ReadText(SourceFile file)
    {
        var encoding = TextEncoding.Of(file, null);
        bool isArray = FirstByte(file, encoding) == '[';
        var replacement = new NotedReplacement();
        using Stream stream = encoding.Open(file, replacement);
        foreach (var row in isArray ? new JsonArrayReader(file.Path, stream).Read() : Lines(file.Path, stream))
        {
            if (replacement.WasNeeded)
            {
                throw new TinyLlmException($"{file.Path}, near {row.Place.Unit} {row.Place.Number}: the text is not "
                    + "valid in the encoding that the file begins in; expected UTF-8. Convert the file.");
            }

            yield return row;
        }
    }

    private static IEnumerable<RowText> Lines(string path, Stream stream)
    {
        foreach (JsonLine line in JsonLines.Read(path, stream, () => 0))
        {
            if (!line.IsBlank)
                yield return new RowText(RowPlace.Line(path, line.Number), line.Bytes, 0, []);
        }
    }

    // The first byte that is no white space; 0 where there is none.
    private static byte FirstByte(SourceFile file, TextEncoding encoding)
    {
        byte[] buffer = new byte[TextEncoding.HeadBytes];
        using Stream stream = encoding.Open(file, new NotedReplacement());
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            var rest = buffer.AsSpan(0, read).TrimStart(" \t\r\n"u8);
            if (!rest.IsEmpty)
                return rest[0];
        }

        return 0;
    }
}
