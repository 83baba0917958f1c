using Parquet.Schema;

namespace TinyLlm.Data.Sources;

/// <summary>
/// Reads a Parquet file: a document a row, the text in one column of strings or bytes. It is cut between row groups,
/// and holds the text of one row group in memory.
/// </summary>
internal sealed class ParquetFileReader(SourceFile file, SourceOptions options) : FileReader(file, options)
{
    private const int NamesShown = 20;

    /// <inheritdoc/>
    public override IEnumerable<FilePart> Cut(long bytes)
    {
        if (File.Length <= bytes || File.Format.Compression != Compression.None)
            return [new FilePart(this, 0, long.MaxValue, File.Length)];

        using var parquet = ParquetFile.Open(File);
        return Cut(parquet.GroupSizes(), bytes);
    }

    /// <inheritdoc/>
    public override IEnumerable<TextPiece> Read(FilePart part, ReadReport report)
    {
        using var parquet = ParquetFile.Open(File);
        DataField column = FindColumn(parquet.Schema);
        byte[] utf8 = [];
        for (int group = (int)part.Start; group < Math.Min(part.End, parquet.Groups); group++)
        {
            var texts = parquet.ReadGroup(group, rows => parquet.ReadColumn(rows, column, _ =>
                ParquetTexts.ReadAsync(rows, column)));
            for (int row = 0; row < texts.Count; row++)
            {
                foreach (var piece in TextPieces.Cut(texts.Get(row, ref utf8), report, Options.Cut))
                    yield return piece;
            }

            report.AddEmptyDocuments(texts.NullCount);
        }
    }

    /// <inheritdoc/>
    public override string Describe(FilePart part) => part.End == long.MaxValue ? File.Path
        : $"{File.Path}, row groups {part.Start:N0} to {part.End - 1:N0}";

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
            parts.Add(new FilePart(
                this, first, first == 0 && isLast ? long.MaxValue : group + 1, isLast ? left : size));
            (first, left, size) = (group + 1, left - size, 0);
        }

        return parts.Count > 0 ? parts : [new FilePart(this, 0, long.MaxValue, File.Length)];
    }

    private DataField FindColumn(ParquetSchema schema)
    {
        var column = Array.Find(schema.DataFields, field => field.Path.ToString() == Options.TextField);
        if (column is not null && ParquetTexts.IsText(column))
            return column;

        string names = string.Join(", ", schema.DataFields.Take(NamesShown).Select(field =>
            $"{ParquetFile.Quote(field.Path.ToString())} ({ParquetTexts.Describe(field)})"))
            + (schema.DataFields.Length > NamesShown ? ", ..." : "");
        throw new TinyLlmException(column is null
            ? $"{File.Path}: there is no column \"{Options.TextField}\"; its columns are: {names}. Name the one with "
                + "the text by --text-field."
            : $"{File.Path}: the column \"{Options.TextField}\" holds {ParquetTexts.Describe(column)}; expected "
                + $"strings. Its columns are: {names}. Name the one with the text by --text-field.");
    }
}
