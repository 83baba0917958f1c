using System.Text.Json;
using System.Text.Unicode;
using Parquet;
using Parquet.Schema;
using TinyLlm.Data.Sources;

namespace TinyLlm.Data;

/// <summary>
/// The values of one column of a row group, in turn. Its entries are those of the innermost list that it lies in; the
/// levels of each say how many of its groups are there and which list goes on (Dremel, section 4: Melnik and others,
/// 2010).
/// </summary>
internal abstract class ParquetLeaf
{
    private int[] definitions = [], repetitions = [];
    private int deepest, entry, count;

    /// <summary>How many of the optional and repeated groups around the value are there; the column's highest level
    /// where the value is, too.</summary>
    public int Definition => entry < count ? definitions.Length > 0 ? definitions[entry] : deepest : throw Short();

    /// <summary>The depth of the list that goes on with this entry; 0 where a row begins, and behind the
    /// last.</summary>
    public int Repetition => entry < count && repetitions.Length > 0 ? repetitions[entry] : 0;

    /// <summary>Whether all entries were read.</summary>
    public bool IsAtEnd => entry == count;

    /// <summary>The place of the next value that is there.</summary>
    protected int Value { get; private set; }

    /// <summary>Reads a column.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static async Task<ParquetLeaf> ReadAsync(ParquetFile file, ParquetRowGroupReader rows, DataField column)
    {
        var leaf = await file.ReadColumn(rows, column, count => CreateAsync(rows, column, count));
        leaf.deepest = column.MaxDefinitionLevel;
        return leaf;
    }

    /// <summary>Writes the value of this entry, which is there.</summary>
    public abstract void Write(Utf8JsonWriter json);

    /// <summary>Goes on to the next entry.</summary>
    public void Next()
    {
        if (Definition == deepest)
            Value++;
        entry++;
    }

    /// <summary>The error for columns of a row group that do not have the same rows and lists.</summary>
    public static InvalidDataException Short() => new("the columns of a row group do not have the same rows and lists");

    private static Task<ParquetLeaf> CreateAsync(ParquetRowGroupReader rows, DataField column, int count)
    {
        var type = column.ClrType;
        return type == typeof(ReadOnlyMemory<char>) ? Load<ReadOnlyMemory<char>>((json, value) =>
            json.WriteStringValue(value.Span), new char[1], new char[1])
            : type == typeof(ReadOnlyMemory<byte>) ? Load<ReadOnlyMemory<byte>>(WriteBytes, new byte[1], new byte[1])
            : type == typeof(bool) ? Load((json, value) => json.WriteBooleanValue(value), false, true)
            : type == typeof(sbyte) ? Load<sbyte>((json, value) => json.WriteNumberValue(value), 0, 1)
            : type == typeof(byte) ? Load<byte>((json, value) => json.WriteNumberValue(value), 0, 1)
            : type == typeof(short) ? Load<short>((json, value) => json.WriteNumberValue(value), 0, 1)
            : type == typeof(ushort) ? Load<ushort>((json, value) => json.WriteNumberValue(value), 0, 1)
            : type == typeof(int) ? Load((json, value) => json.WriteNumberValue(value), 0, 1)
            : type == typeof(uint) ? Load<uint>((json, value) => json.WriteNumberValue(value), 0, 1)
            : type == typeof(long) ? Load<long>((json, value) => json.WriteNumberValue(value), 0, 1)
            : type == typeof(ulong) ? Load<ulong>((json, value) => json.WriteNumberValue(value), 0, 1)
            : type == typeof(float) ? Load<float>((json, value) => WriteReal(json, value), 0, 1)
            : type == typeof(double) ? Load<double>(WriteReal, 0, 1)
            : type == typeof(decimal) ? Load<decimal>((json, value) => json.WriteNumberValue(value), 0, 1)
            : LoadOther(rows, column);

        Task<ParquetLeaf> Load<T>(Action<Utf8JsonWriter, T> write, T unread, T other) where T : struct =>
            Values<T>.LoadAsync(rows, column, count, write, unread, other);
    }

    // A date or the like, which no row is read from: that it is there is all that counts.
    private static async Task<ParquetLeaf> LoadOther(ParquetRowGroupReader rows, DataField column)
    {
        using var raw = await rows.ReadRawColumnDataBaseAsync(column);
        int[] definitions = column.MaxDefinitionLevel > 0 ? raw.DefinitionLevels.ToArray() : new int[rows.RowCount];
        string type = $"a {column.ClrType.Name}";
        return new Presence(type)
        {
            definitions = definitions,
            repetitions = column.MaxRepetitionLevel > 0 ? raw.RepetitionLevels.ToArray() : [],
            count = definitions.Length,
        };
    }

    // JSON has no such numbers; as a text it is refused where a number counts.
    private static void WriteReal(Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumberValue(value);
        else
            json.WriteStringValue(value.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    // Older writers do not say that bytes are text.
    private static void WriteBytes(Utf8JsonWriter json, ReadOnlyMemory<byte> value)
    {
        if (Utf8.IsValid(value.Span))
        {
            json.WriteStringValue(value.Span);
            return;
        }

        json.WriteStartObject();
        json.WriteNumber("bytes that are no UTF-8", value.Length);
        json.WriteEndObject();
    }

    private sealed class Presence(string type) : ParquetLeaf
    {
        public override void Write(Utf8JsonWriter json) => json.WriteStringValue(type);
    }

    private sealed class Values<T>(T[] values, Action<Utf8JsonWriter, T> write) : ParquetLeaf where T : struct
    {
        public override void Write(Utf8JsonWriter json) => write(json, values[Value]);

        // The library does not mind when a page has fewer values than its entries need: then what was in memory before
        // is still there. It may be a value, too: a second reading over something else tells.
        public static async Task<ParquetLeaf> LoadAsync(ParquetRowGroupReader rows, DataField column, int count,
            Action<Utf8JsonWriter, T> write, T unread, T other)
        {
            var values = new T[count];
            int[] definitions = column.MaxDefinitionLevel > 0 ? new int[count] : [];
            int[] repetitions = column.MaxRepetitionLevel > 0 ? new int[count] : [];
            await Read(unread);
            int there = definitions.Length > 0 ? definitions.AsSpan().Count(column.MaxDefinitionLevel) : count;
            if (IsLast(unread))
            {
                await Read(other);
                if (IsLast(other))
                    throw new InvalidDataException($"a column has fewer than the {there:N0} values that its rows need");
            }

            return new Values<T>(values, write) { definitions = definitions, repetitions = repetitions, count = count };

            bool IsLast(T value) => there > 0 && EqualityComparer<T>.Default.Equals(values[there - 1], value);

            async Task Read(T before)
            {
                Array.Fill(values, before);
                if (count > 0)
                    await rows.ReadRawAsync(column, values.AsMemory(), Memory(definitions), Memory(repetitions));
            }
        }

        private static Memory<int>? Memory(int[] levels) => levels.Length > 0 ? levels : (Memory<int>?)null;
    }
}
