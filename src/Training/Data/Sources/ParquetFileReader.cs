using Parquet;
using Parquet.Schema;
using TinyLlm.Kernels;
using TinyLlm.Model;

namespace TinyLlm.Training.Data.Sources;

/// <summary>
/// Reads a Parquet file: a document a row, the text in one column of strings or bytes. It is cut between row groups, and holds the text of one row group in memory.
/// </summary>
internal sealed class ParquetFileReader(SourceFile file, SourceOptions options) : FileReader(file, options)
{
    private const int NamesShown = 20;

    // Of what comes from the file and may be damaged: a name, or a message that has one.
    private const int LongestQuote = 300;

    /// <inheritdoc/>
    public override IEnumerable<FilePart> Cut(long bytes)
    {
        if (File.Length <= bytes || File.Format.Compression != Compression.None)
            return [new FilePart(this, 0, long.MaxValue, File.Length)];

        using var stream = new ParquetStream(File.Open());
        return Cut(Guard(() => GroupSizes(stream)), bytes);
    }

    /// <inheritdoc/>
    public override IEnumerable<TextPiece> Read(FilePart part, ReadReport report)
    {
        using var stream = new ParquetStream(OpenSeekable());
        long footer = Guard(() => Task.FromResult(ParquetCheck.Footer(stream)));
        var reader = Guard(() => ParquetReader.CreateAsync(stream));
        try
        {
            (ParquetSchema schema, int groups) = Guard(() => Task.FromResult((reader.Schema, reader.RowGroupCount)));
            DataField column = FindColumn(schema);
            byte[] utf8 = [];
            for (int group = (int)part.Start; group < Math.Min(part.End, groups); group++)
            {
                var rows = Guard(() => ReadAsync(reader, stream, group, column, footer));
                for (int row = 0; row < rows.Count; row++)
                {
                    foreach (var piece in TextPieces.Cut(rows.Get(row, ref utf8), report, Options.Cut))
                        yield return piece;
                }

                report.AddEmptyDocuments(rows.NullCount);
            }
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    /// <inheritdoc/>
    public override string Describe(FilePart part) => part.End == long.MaxValue ? File.Path : $"{File.Path}, row groups {part.Start:N0} to {part.End - 1:N0}";

    private List<FilePart> Cut(long[] groups, long bytes)
    {
        var parts = new List<FilePart>();
        long size = 0, left = File.Length;
        for (int first = 0, group = 0; group < groups.Length; group++)
        {
            size += groups[group];
            if (group + 1 < groups.Length && size + groups[group + 1] <= bytes)
                continue;

            // What is no row group, such as the list of them at the end, counts to the last part.
            bool isLast = group + 1 == groups.Length;
            parts.Add(new FilePart(this, first, first == 0 && isLast ? long.MaxValue : group + 1, isLast ? left : size));
            (first, left, size) = (group + 1, left - size, 0);
        }

        return parts.Count > 0 ? parts : [new FilePart(this, 0, long.MaxValue, File.Length)];
    }

    private static async Task<long[]> GroupSizes(Stream stream)
    {
        ParquetCheck.Footer(stream);
        await using var reader = await ParquetReader.CreateAsync(stream);
        return [.. reader.RowGroups.Select(group => group.RowGroup.Columns.Sum(column => Size(column.MetaData?.TotalCompressedSize ?? 0)))];

        long Size(long bytes) => bytes >= 0 && bytes <= stream.Length ? bytes : throw new InvalidDataException($"a column should have {bytes:N0} bytes");
    }

    private static async Task<ParquetTexts> ReadAsync(ParquetReader reader, ParquetStream stream, int group, DataField column, long footer)
    {
        using var rows = reader.OpenRowGroupReader(group);
        var chunk = rows.GetMetadata(column)?.MetaData ?? throw new InvalidDataException($"row group {group} lacks the column");
        stream.Limit = ParquetCheck.Pages(stream, chunk, rows.RowCount, footer);
        var texts = await ParquetTexts.ReadAsync(rows, column);
        stream.Limit = footer;
        return texts;
    }

    private DataField FindColumn(ParquetSchema schema)
    {
        var column = Array.Find(schema.DataFields, field => field.Path.ToString() == Options.TextField);
        if (column is not null && ParquetTexts.IsText(column))
            return column;

        string names = string.Join(", ", schema.DataFields.Take(NamesShown).Select(field => $"{Quote(field.Path.ToString())} ({ParquetTexts.Describe(field)})")) + (schema.DataFields.Length > NamesShown ? ", ..." : "");
        throw new TinyLlmException(column is null
            ? $"{File.Path}: there is no column \"{Options.TextField}\"; its columns are: {names}. Name the one with the text by --text-field."
            : $"{File.Path}: the column \"{Options.TextField}\" holds {ParquetTexts.Describe(column)}; expected strings. Its columns are: {names}. Name the one with the text by --text-field.");
    }

    private static string Quote(string text)
    {
        string shown = text.Length <= LongestQuote ? text : text[..LongestQuote] + "...";
        return string.Concat(shown.ReplaceLineEndings(" ").Select(c => char.IsControl(c) ? '\uFFFD' : c));
    }

    // Parquet is read from its end: a compressed file goes to the disk first, under a name that is gone when the stream is closed.
    private Stream OpenSeekable()
    {
        Stream stream = File.Open();
        if (stream.CanSeek)
            return stream;

        using (stream)
        {
            string path = Path.Combine(Path.GetTempPath(), $"tinyllm-{Guid.NewGuid():N}.parquet");
            try
            {
                var copy = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
                stream.CopyTo(copy);
                copy.Position = 0;
                return copy;
            }
            catch (Exception e) when (FileErrors.Is(e))
            {
                throw FileErrors.Writing(path, e, kept: false);
            }
        }
    }

    // The library reports damage by whatever its code runs into.
    private T Guard<T>(Func<Task<T>> read)
    {
        try
        {
            return read().GetAwaiter().GetResult();
        }
        catch (OutOfMemoryException e)
        {
            throw new TinyLlmException($"{File.Path}: a row group does not fit into memory, or its data is damaged and only seems so large; expected row groups of some hundred MiB at most. Write the file anew with smaller ones.", e);
        }
        catch (Exception e) when (e is not TinyLlmException)
        {
            string reason = Quote(e.Message).TrimEnd('.');
            throw new TinyLlmException($"{File.Path}: the Parquet data is damaged, cut off or of an unknown kind ({reason}); expected a whole file. Get the file again.", e);
        }
    }
}
