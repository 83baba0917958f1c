namespace TinyLlm.Data.Sources;

/// <summary>What a value of Thrift's compact protocol is, as far as its length on the wire depends on it.</summary>
internal enum ThriftKind
{
    /// <summary>True or false; as a field it takes no byte beyond its header.</summary>
    Boolean,

    /// <summary>One byte.</summary>
    Byte,

    /// <summary>16, 32 or 64 bits, or an enumeration: a variable-length integer.</summary>
    Integer,

    /// <summary>8 bytes.</summary>
    Double,

    /// <summary>Bytes or a string behind their length.</summary>
    Binary,

    /// <summary>Equal elements behind their number.</summary>
    List,

    /// <summary>Fields behind their numbers.</summary>
    Struct,
}

/// <summary>The type of a field.</summary>
internal sealed class ThriftType
{
    /// <summary>True or false.</summary>
    public static readonly ThriftType Boolean = new(ThriftKind.Boolean);

    /// <summary>One byte.</summary>
    public static readonly ThriftType Byte = new(ThriftKind.Byte);

    /// <summary>An integer of any size.</summary>
    public static readonly ThriftType Integer = new(ThriftKind.Integer);

    /// <summary>A floating-point number.</summary>
    public static readonly ThriftType Double = new(ThriftKind.Double);

    /// <summary>Bytes or a string.</summary>
    public static readonly ThriftType Binary = new(ThriftKind.Binary);

    private static readonly Dictionary<int, ThriftType> None = [];

    private ThriftType(ThriftKind kind, ThriftType? element = null, Dictionary<int, ThriftType>? fields = null) =>
        (Kind, Element, Fields) = (kind, element, fields ?? None);

    /// <summary>The kind.</summary>
    public ThriftKind Kind { get; }

    /// <summary>What a list holds.</summary>
    public ThriftType? Element { get; }

    /// <summary>The known fields of a struct by their numbers.</summary>
    public IReadOnlyDictionary<int, ThriftType> Fields { get; }

    /// <summary>A list.</summary>
    public static ThriftType ListOf(ThriftType element) => new(ThriftKind.List, element);

    /// <summary>A struct whose known fields have the numbers from 1 on.</summary>
    public static ThriftType Struct(params ThriftType[] fields) => Struct(fields.Select((type, i) => (i + 1, type)));

    /// <summary>A struct with gaps between the numbers of its known fields.</summary>
    public static ThriftType Struct(IEnumerable<(int Number, ThriftType Type)> fields) =>
        new(ThriftKind.Struct, fields: fields.ToDictionary(field => field.Number, field => field.Type));
}
