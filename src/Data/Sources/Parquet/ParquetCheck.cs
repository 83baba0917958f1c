using System.Buffers.Binary;
using Parquet.Meta;

namespace TinyLlm.Data.Sources;

/// <summary>
/// Looks at what says how much a Parquet file holds, before Parquet.Net reads it: the library believes every number, so
/// that a damaged one makes it read without end or ask for any amount of memory.
/// </summary>
internal static class ParquetCheck
{
    // Magic, length of the metadata, magic.
    private const int HeadBytes = 4, TailBytes = 8;

    // Of groups in groups; files have a handful. The library goes down one call a level.
    private const int DeepestSchema = 100;

    /// <summary>
    /// Checks the metadata at the end of a file: that it is whole, and of the types that the library takes it for.
    /// Returns where it begins.
    /// </summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="EndOfStreamException">It is cut off.</exception>
    public static long Footer(Stream stream)
    {
        if (stream.Length < HeadBytes + TailBytes)
            throw new InvalidDataException($"it has {stream.Length:N0} bytes, less than an empty one");
        Span<byte> tail = stackalloc byte[TailBytes];
        stream.Seek(-TailBytes, SeekOrigin.End);
        stream.ReadExactly(tail);
        if (!tail[4..].SequenceEqual("PAR1"u8))
        {
            throw new InvalidDataException(
                tail[4..].SequenceEqual("PARE"u8) ? "its metadata is encrypted" : "it does not end with PAR1");
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(tail);
        if (length < 1 || length > stream.Length - HeadBytes - TailBytes)
            throw new InvalidDataException($"its metadata should have {length:N0} bytes");

        byte[] metadata = new byte[length];
        stream.Seek(-TailBytes - length, SeekOrigin.End);
        stream.ReadExactly(metadata);
        var depth = new SchemaDepth();
        new ThriftScan(metadata, depth.Number, depth.Ends).Struct(ParquetStructs.FileMetaData);
        return stream.Length - TailBytes - length;
    }

    /// <summary>
    /// Checks the pages of a column in a row group, as far as their headers and the first bytes of compressed data
    /// tell: that they have as many values as the column, lie in the
    /// file one behind the other, and do not claim to become more than their compression can make of them. Returns
    /// where they end.
    /// </summary>
    /// <param name="stream">The file.</param>
    /// <param name="column">The column.</param>
    /// <param name="rows">Rows of the row group.</param>
    /// <param name="repeated">Whether it lies in a list, so that a row may have several values; else it has
    /// one.</param>
    /// <param name="end">Where the pages of the file end.</param>
    /// <exception cref="InvalidDataException">They are damaged.</exception>
    /// <exception cref="EndOfStreamException">They are cut off.</exception>
    public static long Pages(Stream stream, ColumnMetaData column, long rows, bool repeated, long end)
    {
        long expected = column.NumValues;
        if (rows is < 0 or > int.MaxValue || expected > int.MaxValue || (repeated ? expected < rows : expected != rows))
            throw new InvalidDataException($"a column has {column.NumValues:N0} values for {rows:N0} rows");

        // Where the library begins, whatever the kind of the first page.
        long place = new[] { column.DictionaryPageOffset ?? 0, column.DataPageOffset, column.IndexPageOffset
            ?? 0 }.Where(offset => offset != 0).DefaultIfEmpty().Min();
        for (long values = 0; values < expected;)
        {
            if (place < HeadBytes || place >= end)
                throw new InvalidDataException($"a page should begin at byte {place:N0}");
            var page = ParquetPage.Read(stream, place, end);
            page.Check(stream, column.Codec, end);
            if (page.IsData)
                values += page.Values;
            if (values > expected)
            {
                throw new InvalidDataException($"the pages of a column have {values:N0} values in place of "
                    + $"{expected:N0}");
            }

            place = page.End;
        }

        return place;
    }

    // Follows the elements of the schema, which is a tree written in the order of its walk from the root, each with the
    // number of its children.
    private sealed class SchemaDepth
    {
        private readonly Stack<long> left = new();
        private long children;

        public void Number(ThriftType owner, int field, long value)
        {
            if (owner == ParquetStructs.SchemaElement && field == ParquetStructs.NumChildren)
                children = value;
        }

        public void Ends(ThriftType type)
        {
            if (type != ParquetStructs.SchemaElement)
                return;
            while (left.TryPeek(out long open) && open == 0)
                left.Pop();
            if (left.TryPop(out long siblings))
                left.Push(siblings - 1);
            if (children > 0)
                left.Push(children);
            if (left.Count > DeepestSchema)
                throw new InvalidDataException($"its columns lie more than {DeepestSchema} deep");
            children = 0;
        }
    }
}
