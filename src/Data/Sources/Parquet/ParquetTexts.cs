using System.Text.Unicode;
using Parquet;
using Parquet.Schema;

namespace TinyLlm.Data.Sources;

/// <summary>The texts of a column in one row group: strings or bytes.</summary>
internal abstract class ParquetTexts
{
    /// <summary>Rows with a text.</summary>
    public int Count { get; private init; }

    /// <summary>Rows without one.</summary>
    public long NullCount { get; private init; }

    /// <summary>Whether a column has one text a row.</summary>
    public static bool IsText(DataField column) =>
        column.MaxRepetitionLevel == 0
        && (column.ClrType == typeof(ReadOnlyMemory<char>) || column.ClrType == typeof(ReadOnlyMemory<byte>));

    /// <summary>What a column holds, in a word.</summary>
    public static string Describe(DataField column)
    {
        string type = column.ClrType == typeof(ReadOnlyMemory<char>) ? "string"
            : column.ClrType == typeof(ReadOnlyMemory<byte>) ? "bytes" : column.ClrType.Name;
        return column.MaxRepetitionLevel == 0 ? type : $"list of {type}";
    }

    /// <summary>Reads the column, whose pages were checked.</summary>
    /// <exception cref="InvalidDataException">The pages have fewer values than the row group has rows.</exception>
    public static async Task<ParquetTexts> ReadAsync(ParquetRowGroupReader rows, DataField column)
    {
        if (column.ClrType == typeof(ReadOnlyMemory<byte>))
        {
            var (bytes, count) = await ReadAsync<byte>(rows, column);
            return new Bytes(bytes) { Count = count, NullCount = rows.RowCount - count };
        }

        var (strings, number) = await ReadAsync<char>(rows, column);
        return new Strings(strings) { Count = number, NullCount = rows.RowCount - number };
    }

    /// <summary>A text as UTF-8, or as the bytes that the file has.</summary>
    /// <param name="index">Below <see cref="Count"/>.</param>
    /// <param name="buffer">Holds the text; grows as it must.</param>
    public abstract ReadOnlyMemory<byte> Get(int index, ref byte[] buffer);

    private static async Task<(ReadOnlyMemory<T>[] Values, int Count)> ReadAsync<T>(
        ParquetRowGroupReader rows, DataField column)
    {
        var values = new ReadOnlyMemory<T>[rows.RowCount];
        int[]? levels = column.MaxDefinitionLevel > 0 ? new int[rows.RowCount] : null;
        ReadOnlyMemory<T> unread = new T[1];
        Array.Fill(values, unread);
        if (rows.RowCount > 0)
            await rows.ReadRawAsync(column, values.AsMemory(), levels is null ? (Memory<int>?)null : levels, null);

        // Values are the rows that have one, without gaps. The library does not mind when a page has fewer than its
        // rows need.
        int count = levels?.AsSpan().Count(column.MaxDefinitionLevel) ?? values.Length;
        if (count > 0 && values[count - 1].Equals(unread))
            throw new InvalidDataException($"a column has fewer than the {count:N0} values that its rows need");
        return (values, count);
    }

    private sealed class Bytes(ReadOnlyMemory<byte>[] values) : ParquetTexts
    {
        public override ReadOnlyMemory<byte> Get(int index, ref byte[] buffer) => values[index];
    }

    private sealed class Strings(ReadOnlyMemory<char>[] values) : ParquetTexts
    {
        public override ReadOnlyMemory<byte> Get(int index, ref byte[] buffer)
        {
            var text = values[index].Span;
            if (buffer.Length < 3L * text.Length)
                buffer = new byte[Math.Max(3 * text.Length, 2 * buffer.Length)];
            Utf8.FromUtf16(text, buffer, out _, out int written);
            return buffer.AsMemory(0, written);
        }
    }
}
