using System.Buffers.Binary;
using Parquet.Meta;

namespace TinyLlm.Data.Sources;

/// <summary>A page of a Parquet column, as its header describes it.</summary>
internal sealed class ParquetPage
{
    // Of compressed data, the first bytes that may tell what it becomes: the longest frame header of zstd.
    private const int LongestSize = 18;

    // Most headers have less.
    private const int UsualHeader = 1 << 10;

    // Headers may have statistics, which may have two of the column's texts in full.
    private const int LongestHeader = 64 << 20;

    private readonly Dictionary<(ThriftType, int), long> numbers = [];
    private readonly long data;

    private ParquetPage(ReadOnlySpan<byte> header, long place)
    {
        var scan = new ThriftScan(header, (owner, field, value) => numbers[(owner, field)] = value);
        scan.Struct(ParquetStructs.PageHeader);
        data = place + scan.Position;
    }

    /// <summary>Whether it holds values of the column, and not a dictionary.</summary>
    public bool IsData => Type != PageType.DICTIONARY_PAGE;

    /// <summary>Values in it, nulls included.</summary>
    public long Values => Number(Type switch
    {
        PageType.DATA_PAGE => ParquetStructs.DataPageHeader,
        PageType.DATA_PAGE_V2 => ParquetStructs.DataPageHeaderV2,
        _ => ParquetStructs.DictionaryPageHeader,
    }, ParquetStructs.NumValues);

    /// <summary>The byte after its last.</summary>
    public long End => data + CompressedSize;

    private PageType Type => (PageType)Number(ParquetStructs.PageHeader, ParquetStructs.PageType);

    private long CompressedSize => Number(ParquetStructs.PageHeader, ParquetStructs.CompressedSize);

    private long UncompressedSize => Number(ParquetStructs.PageHeader, ParquetStructs.UncompressedSize);

    /// <summary>Reads the header at a place.</summary>
    /// <param name="stream">The file.</param>
    /// <param name="place">Where the header begins.</param>
    /// <param name="end">Where the pages of the file end.</param>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="EndOfStreamException">It is cut off.</exception>
    public static ParquetPage Read(Stream stream, long place, long end)
    {
        long most = Math.Min(end - place, LongestHeader);
        for (long bytes = Math.Min(UsualHeader, most); ; bytes = Math.Min(4 * bytes, most))
        {
            byte[] header = new byte[bytes];
            stream.Position = place;
            stream.ReadExactly(header);
            try
            {
                return new ParquetPage(header, place);
            }
            catch (EndOfStreamException) when (bytes < most)
            {
                // The header is longer.
            }
        }
    }

    /// <summary>
    /// Checks that the page lies in the file, and that what the library will make room for can come of it.
    /// </summary>
    /// <param name="stream">The file.</param>
    /// <param name="codec">The compression of the column.</param>
    /// <param name="end">Where the pages of the file end.</param>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public void Check(Stream stream, CompressionCodec codec, long end)
    {
        if (Type is not (PageType.DATA_PAGE or PageType.DATA_PAGE_V2 or PageType.DICTIONARY_PAGE))
            throw new InvalidDataException($"a page is of the unknown kind {(int)Type}");
        if (CompressedSize < 0 || CompressedSize > end - data)
        {
            throw new InvalidDataException(
                $"a page should have {CompressedSize:N0} bytes where {end - data:N0} are left");
        }

        long levels = 0;
        if (Type == PageType.DATA_PAGE_V2)
        {
            long definition = Number(ParquetStructs.DataPageHeaderV2, ParquetStructs.DefinitionLevelsLength),
                repetition = Number(ParquetStructs.DataPageHeaderV2, ParquetStructs.RepetitionLevelsLength);
            levels = definition + repetition;
            if (definition < 0 || repetition < 0 || levels > CompressedSize)
            {
                throw new InvalidDataException(
                    $"the levels of a page should have {levels:N0} of its {CompressedSize:N0} bytes");
            }

            long nulls = Number(ParquetStructs.DataPageHeaderV2, ParquetStructs.NumNulls);
            if (nulls < 0 || nulls > Values)
                throw new InvalidDataException($"{nulls:N0} of the {Values:N0} values of a page should be null");
        }

        long size = Size(stream, codec, levels);
        long most = CompressedSize * Expansion(codec);
        if (UncompressedSize < 0 || UncompressedSize > most || size > most)
        {
            throw new InvalidDataException(
                $"a page of {CompressedSize:N0} bytes should become {Math.Max(size, UncompressedSize):N0}");
        }

        // An entry of a dictionary takes a byte at least; values can all be null or the same.
        if (Values < 0 || Type == PageType.DICTIONARY_PAGE && Values > size)
            throw new InvalidDataException($"a page of {size:N0} bytes should have {Values:N0} values");
    }

    private long Number(ThriftType owner, int field) => numbers.GetValueOrDefault((owner, field));

    // The library makes room for what the compressed data announces, where it announces something.
    private long Size(Stream stream, CompressionCodec codec, long levels)
    {
        bool isCompressed = numbers.GetValueOrDefault((ParquetStructs.DataPageHeaderV2, ParquetStructs.IsCompressed), 1)
            == 1;
        Span<byte> head = stackalloc byte[(int)Math.Min(LongestSize, CompressedSize - levels)];
        if (!isCompressed || codec is not (CompressionCodec.SNAPPY or CompressionCodec.ZSTD) || head.IsEmpty)
            return UncompressedSize;
        stream.Position = data + levels;
        stream.ReadExactly(head);
        return (codec == CompressionCodec.SNAPPY ? SnappySize(head) : ZstandardSize(head)) ?? UncompressedSize;
    }

    // What it does not tell, or not whole, the library finds damaged itself, before it makes room.
    private static long? SnappySize(ReadOnlySpan<byte> head)
    {
        ulong size = 0;
        for (int i = 0; i < head.Length && i < 5; i++)
        {
            size |= (ulong)(head[i] & 127) << (7 * i);
            if (head[i] < 128)
                return (long)size;
        }

        return null;
    }

    // The frame header of RFC 8878, 3.1.1.1.
    private static long? ZstandardSize(ReadOnlySpan<byte> head)
    {
        if (head.Length < LongestSize || BinaryPrimitives.ReadUInt32LittleEndian(head) != 0xFD2FB528)
            return null;
        bool isSingleSegment = (head[4] & 32) != 0;
        var size = head[(5 + (isSingleSegment ? 0 : 1) + ((head[4] & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 }))..];
        return (head[4] >> 6) switch
        {
            0 => isSingleSegment ? size[0] : null,
            1 => BinaryPrimitives.ReadUInt16LittleEndian(size) + 256,
            2 => BinaryPrimitives.ReadUInt32LittleEndian(size),
            _ => (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(size), long.MaxValue),
        };
    }

    // The most bytes that one of the compressed data can become: of snappy 64 in a copy of 3, of LZ4 255 for each byte
    // that prolongs a copy, of deflate 258 for two bits, of zstd a block of 128 KiB for 4.
    private static long Expansion(CompressionCodec codec) => codec switch
    {
        CompressionCodec.UNCOMPRESSED => 1,
        CompressionCodec.SNAPPY => 22,
        CompressionCodec.LZ4 or CompressionCodec.LZ4_RAW => 256,
        CompressionCodec.GZIP => 1032,
        _ => 1 << 15,
    };
}
