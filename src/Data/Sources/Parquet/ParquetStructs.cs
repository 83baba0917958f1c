using static TinyLlm.Data.Sources.ThriftType;

namespace TinyLlm.Data.Sources;

/// <summary>
/// The structs of Parquet's metadata as Parquet.Net reads them: it goes by the fields' numbers and never looks at their
/// types. Source: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
/// </summary>
internal static class ParquetStructs
{
    /// <summary>An element of the schema.</summary>
    public static readonly ThriftType SchemaElement;

    /// <summary>Number of the children of a <see cref="SchemaElement"/>.</summary>
    public const int NumChildren = 5;

    /// <summary>What stands at the end of a file.</summary>
    public static readonly ThriftType FileMetaData;

    /// <summary>What stands before each page.</summary>
    public static readonly ThriftType PageHeader;

    /// <summary>
    /// Within <see cref="PageHeader"/>: its kind, and the page's length as it is decompressed and as it lies in the
    /// file.
    /// </summary>
    public const int PageType = 1, UncompressedSize = 2, CompressedSize = 3;

    /// <summary>
    /// Within <see cref="PageHeader"/>, for a page of values. In each of the three the first field is the number of
    /// values.
    /// </summary>
    public static readonly ThriftType DataPageHeader, DictionaryPageHeader, DataPageHeaderV2;

    /// <summary>The number of values.</summary>
    public const int NumValues = 1;

    /// <summary>Within <see cref="DataPageHeaderV2"/>.</summary>
    public const int NumNulls = 2, DefinitionLevelsLength = 5, RepetitionLevelsLength = 6, IsCompressed = 7;

    static ParquetStructs()
    {
        var empty = Struct();
        var statistics =
            Struct(Binary, Binary, Integer, Integer, Binary, Binary, ThriftType.Boolean, ThriftType.Boolean);
        DataPageHeader = Struct(Integer, Integer, Integer, Integer, statistics);
        DictionaryPageHeader = Struct(Integer, Integer, ThriftType.Boolean);
        DataPageHeaderV2 = Struct(Integer, Integer, Integer, Integer, Integer, Integer, ThriftType.Boolean, statistics);
        PageHeader =
            Struct(Integer, Integer, Integer, Integer, DataPageHeader, empty, DictionaryPageHeader, DataPageHeaderV2);

        var keyValue = Struct(Binary, Binary);
        SchemaElement =
            Struct(Integer, Integer, Integer, Binary, Integer, Integer, Integer, Integer, Integer, LogicalType(empty));
        var encryption = Struct(Binary, Binary, ThriftType.Boolean);
        FileMetaData = Struct(
            Integer, ListOf(SchemaElement), Integer, ListOf(RowGroup(statistics, keyValue)), ListOf(keyValue), Binary,
            ListOf(Struct(empty)), Struct(encryption, encryption), Binary);
    }

    private static ThriftType LogicalType(ThriftType empty)
    {
        var time = Struct(ThriftType.Boolean, Struct(empty, empty, empty));
        var geography = Struct(Binary, Integer);
        return Struct([
            (1, empty), (2, empty), (3, empty), (4, empty), (5, Struct(Integer, Integer)), (6, empty), (7, time),
                (8, time), (10, Struct(ThriftType.Byte, ThriftType.Boolean)),
            (11, empty), (12, empty), (13, empty), (14, empty), (15, empty), (16, Struct(ThriftType.Byte)),
            (17, Struct(Binary)), (18, geography),
        ]);
    }

    private static ThriftType RowGroup(ThriftType statistics, ThriftType keyValue)
    {
        var sizes = Struct(Integer, ListOf(Integer), ListOf(Integer));
        var box = Struct(
            ThriftType.Double, ThriftType.Double, ThriftType.Double, ThriftType.Double, ThriftType.Double,
            ThriftType.Double, ThriftType.Double, ThriftType.Double);
        var column = Struct(
            Integer, ListOf(Integer), ListOf(Binary), Integer, Integer, Integer, Integer, ListOf(keyValue), Integer,
            Integer, Integer, statistics, ListOf(Struct(Integer, Integer, Integer)),
            Integer, Integer, sizes, Struct(box, ListOf(Integer)));
        var crypto = Struct(Struct(), Struct(ListOf(Binary), Binary));
        var chunk = Struct(Binary, Integer, column, Integer, Integer, Integer, Integer, crypto, Binary);
        return Struct(
            ListOf(chunk), Integer, Integer, ListOf(Struct(Integer, ThriftType.Boolean, ThriftType.Boolean)), Integer,
            Integer, Integer);
    }
}
