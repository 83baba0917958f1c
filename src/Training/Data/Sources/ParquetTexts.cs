using System.Text.Unicode;
using Parquet;
using Parquet.Data;
using Parquet.Schema;

namespace TinyLlm.Training.Data.Sources;

/// <summary>The texts of a column in one row group.</summary>
internal sealed class ParquetTexts : IDisposable
{
    private readonly RawColumnData values;

    private ParquetTexts(RawColumnData values, int count, long nullCount)
    {
        this.values = values;
        Count = count;
        NullCount = nullCount;
    }

    /// <summary>Rows with a text.</summary>
    public int Count { get; }

    /// <summary>Rows without one.</summary>
    public long NullCount { get; }

    /// <summary>Whether a column has one text a row.</summary>
    public static bool IsText(DataField column) =>
        column.MaxRepetitionLevel == 0 && (column.ClrType == typeof(ReadOnlyMemory<char>) || column.ClrType == typeof(ReadOnlyMemory<byte>));

    /// <summary>What a column holds, in a word.</summary>
    public static string Describe(DataField column)
    {
        string type = column.ClrType == typeof(ReadOnlyMemory<char>) ? "string" : column.ClrType == typeof(ReadOnlyMemory<byte>) ? "bytes" : column.ClrType.Name;
        return column.MaxRepetitionLevel == 0 ? type : $"list of {type}";
    }

    /// <summary>Reads the column.</summary>
    public static async Task<ParquetTexts> ReadAsync(ParquetReader reader, int group, DataField column)
    {
        using var rows = reader.OpenRowGroupReader(group);
        var values = await rows.ReadRawColumnDataBaseAsync(column);

        // Values are the rows that have one, without gaps.
        int count = column.MaxDefinitionLevel == 0 ? (int)rows.RowCount : values.DefinitionLevels.Count(column.MaxDefinitionLevel);
        return new ParquetTexts(values, count, rows.RowCount - count);
    }

    /// <summary>A text as UTF-8, or as the bytes that the file has.</summary>
    /// <param name="index">Below <see cref="Count"/>.</param>
    /// <param name="buffer">Holds the text; grows as it must.</param>
    public ReadOnlyMemory<byte> Get(int index, ref byte[] buffer)
    {
        if (values is RawColumnData<ReadOnlyMemory<byte>> bytes)
            return bytes.Values[index];

        var text = ((RawColumnData<ReadOnlyMemory<char>>)values).Values[index].Span;
        if (buffer.Length < 3L * text.Length)
            buffer = new byte[Math.Max(3 * text.Length, 2 * buffer.Length)];
        Utf8.FromUtf16(text, buffer, out _, out int written);
        return buffer.AsMemory(0, written);
    }

    /// <inheritdoc/>
    public void Dispose() => values.Dispose();
}
