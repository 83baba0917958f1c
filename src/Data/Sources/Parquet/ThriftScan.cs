namespace TinyLlm.Data.Sources;

/// <summary>
/// Walks over a struct in Thrift's compact protocol without building it: whether all of it is there, and whether each
/// field has the type that a reader takes it for. Source: the Thrift compact protocol specification,
/// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
/// </summary>
/// <param name="bytes">What begins with the struct.</param>
/// <param name="number">Told the value of each integer and boolean (1 or 0): the struct it is in, the number of its
/// field, and it.</param>
/// <param name="structEnds">Told of each struct that has ended.</param>
internal ref struct ThriftScan(
    ReadOnlySpan<byte> bytes, Action<ThriftType, int, long>? number = null, Action<ThriftType>? structEnds = null)
{
    private const int LongestVarInt = 10;

    private readonly ReadOnlySpan<byte> bytes = bytes;

    /// <summary>How many bytes were walked over.</summary>
    public int Position { get; private set; }

    /// <summary>Walks over a struct.</summary>
    /// <exception cref="EndOfStreamException">The bytes end before it does.</exception>
    /// <exception cref="InvalidDataException">A field has another type than <paramref name="type"/> says, or one that
    /// cannot be left out.</exception>
    public void Struct(ThriftType type)
    {
        for (short field = 0; ;)
        {
            byte header = Next();
            if (header == 0)
                break;
            int wire = header & 15;
            field = (short)(header >> 4 == 0 ? ZigZag(VarInt()) : field + (header >> 4));
            if (!type.Fields.TryGetValue(field, out var known))
                SkipUnknown(wire);
            else if (wire is 1 or 2 && known.Kind == ThriftKind.Boolean)
                number?.Invoke(type, field, wire == 1 ? 1 : 0);
            else if (Matches(wire, known.Kind))
                Value(known, type, field);
            else
                throw new InvalidDataException($"field {field} of its metadata has the wrong type");
        }

        structEnds?.Invoke(type);
    }

    private static bool Matches(int wire, ThriftKind kind) => kind switch
    {
        ThriftKind.Byte => wire == 3,
        ThriftKind.Integer => wire is 4 or 5 or 6,
        ThriftKind.Double => wire == 7,
        ThriftKind.Binary => wire == 8,
        ThriftKind.List => wire == 9,
        ThriftKind.Struct => wire == 12,
        _ => false,
    };

    private void Value(ThriftType type, ThriftType owner, int field)
    {
        switch (type.Kind)
        {
            case ThriftKind.Byte:
                Skip(1);
                break;
            case ThriftKind.Integer:
                long value = ZigZag(VarInt());
                number?.Invoke(owner, field, value);
                break;
            case ThriftKind.Double:
                Skip(sizeof(double));
                break;
            case ThriftKind.Binary:
                Skip(Count(VarInt()));
                break;
            case ThriftKind.List:
                List(type.Element!, owner, field);
                break;
            case ThriftKind.Struct:
                Struct(type);
                break;
        }
    }

    private void List(ThriftType element, ThriftType owner, int field)
    {
        int count = ListHeader(out int wire);
        if (count > 0 && !Matches(wire, element.Kind))
            throw new InvalidDataException($"the list in field {field} of its metadata has the wrong type");
        for (int i = 0; i < count; i++)
            Value(element, owner, field);
    }

    // Fields of a later version. Parquet.Net steps over flat ones only: of others it takes the inside for fields.
    private void SkipUnknown(int wire)
    {
        if (wire is 1 or 2)
            return;
        if (wire != 9)
        {
            SkipFlat(wire);
            return;
        }

        int count = ListHeader(out int element);
        for (int i = 0; i < count; i++)
            SkipFlat(element);
    }

    private void SkipFlat(int wire)
    {
        switch (wire)
        {
            case 3:
                Skip(1);
                break;
            case 4 or 5 or 6:
                VarInt();
                break;
            case 7:
                Skip(sizeof(double));
                break;
            case 8:
                Skip(Count(VarInt()));
                break;
            default:
                throw new InvalidDataException($"its metadata has an unknown field of type {wire}");
        }
    }

    // Every element takes a byte at least, so that a larger number is damage: lists are made for as many elements as
    // are announced.
    private int ListHeader(out int wire)
    {
        byte header = Next();
        wire = header & 15;
        return header >> 4 == 15 ? Count(VarInt()) : header >> 4;
    }

    private readonly int Count(ulong value) =>
        value <= (ulong)(bytes.Length - Position) ? (int)value
        : throw new EndOfStreamException(
            $"its metadata has {value:N0} bytes or elements where {bytes.Length - Position:N0} bytes are left");

    private byte Next() => Position < bytes.Length ? bytes[Position++]
        : throw new EndOfStreamException("its metadata is cut off");

    private void Skip(int count) => Position += Count((ulong)count);

    private ulong VarInt()
    {
        ulong value = 0;
        for (int i = 0; i < LongestVarInt; i++)
        {
            byte next = Next();
            value |= (ulong)(next & 127) << (7 * i);
            if (next < 128)
                return value;
        }

        throw new InvalidDataException("its metadata has a number of more than 64 bits");
    }

    private static long ZigZag(ulong value) => (long)(value >> 1) ^ -(long)(value & 1);
}
