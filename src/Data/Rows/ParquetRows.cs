using System.Text.Encodings.Web;
using System.Text.Json;
using Parquet;
using Parquet.Schema;
using TinyLlm.Data.Sources;

namespace TinyLlm.Data;

/// <summary>
/// Reads the rows of a Parquet file: columns of texts, numbers and booleans, and lists and groups of them. What is null
/// is left out, as a table has each field in each row. It holds the columns of one row group in memory, without those
/// that no kind of row has.
/// </summary>
internal static class ParquetRows
{
    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true
    };

    /// <summary>The names of a file's columns.</summary>
    /// <exception cref="TinyLlmException">The file cannot be read.</exception>
    public static IReadOnlyList<string> Columns(SourceFile file)
    {
        using var parquet = ParquetFile.Open(file);
        return [.. parquet.Schema.Fields.Select(field => field.Name)];
    }

    /// <summary>The rows.</summary>
    /// <exception cref="TinyLlmException">While reading: the file cannot be read, or its data is damaged.</exception>
    public static IEnumerable<RowText> Read(SourceFile file)
    {
        using var parquet = ParquetFile.Open(file);
        Field[] known = [.. parquet.Schema.Fields.Where(field => RowFields.IsKnown(field.Name))];
        Field[] other = [.. parquet.Schema.Fields.Where(field => !RowFields.IsKnown(field.Name))];
        var text = new MemoryStream();
        using var json = new Utf8JsonWriter(text, Options);
        long number = 0;
        for (int group = 0; group < parquet.Groups; group++)
        {
            var (rows, columns, others) = parquet.ReadGroup(group, reader =>
                ReadAsync(file.Path, parquet, reader, known, other));
            for (long row = 0; row < rows; row++)
            {
                text.SetLength(0);
                json.Reset();
                parquet.Guard(() => Task.FromResult(Write(json, known, columns)));
                yield return new RowText(RowPlace.Row(file.Path, ++number),
                    text.GetBuffer().AsMemory(0, (int)text.Length), 0, others);
            }

            parquet.Guard(() => columns.All(column => column.Leaves.All(leaf => leaf.IsAtEnd)) ? Task.FromResult(true)
                : throw ParquetLeaf.Short());
        }
    }

    private static async Task<(long Rows, ParquetNode[] Columns, string[] Others)> ReadAsync(string path,
        ParquetFile parquet, ParquetRowGroupReader rows, Field[] known, Field[] other)
    {
        CheckLists(path, parquet.Schema, rows);
        var leaves = new Dictionary<DataField, ParquetLeaf>(ReferenceEqualityComparer.Instance);
        foreach (var column in known.SelectMany(Columns))
            leaves[column] = await ParquetLeaf.ReadAsync(parquet, rows, column);
        return (rows.RowCount, [.. known.Select(field => ParquetNode.Create(field, column => leaves[column]))],
            [.. other.Where(field => !IsEmpty(rows, field)).Select(field => ParquetFile.Quote(field.Name))]);
    }

    private static bool Write(Utf8JsonWriter json, Field[] fields, ParquetNode[] columns)
    {
        json.WriteStartObject();
        for (int i = 0; i < columns.Length; i++)
        {
            if (columns[i].Leaves.Any(leaf => leaf.IsAtEnd || leaf.Repetition != 0))
                throw ParquetLeaf.Short();
            if (!columns[i].IsThere)
            {
                columns[i].Skip();
                continue;
            }

            json.WritePropertyName(fields[i].Name);
            columns[i].Write(json);
        }

        json.WriteEndObject();
        json.Flush();
        return true;
    }

    private static IEnumerable<DataField> Columns(Field field) => field switch
    {
        DataField column => [column],
        ListField list => Columns(list.Item),
        MapField map => [.. Columns(map.Key), .. Columns(map.Value)],
        StructField group => group.Fields.SelectMany(Columns),
        _ => [],
    };

    // The library takes the lists of two levels, which old writers make, for others, and their columns get wrong names.
    private static void CheckLists(string path, ParquetSchema schema, ParquetRowGroupReader rows)
    {
        var names = schema.DataFields.Select(column => Join(column.Path.ToList())).ToHashSet(StringComparer.Ordinal);
        var odd = rows.RowGroup.Columns.Find(chunk => !names.Contains(Join(chunk.MetaData?.PathInSchema ?? [])));
        if (odd is not null)
        {
            throw new TinyLlmException($"{path}: the column "
                + $"{ParquetFile.Quote(string.Join('.', odd.MetaData?.PathInSchema ?? []))} lies in a list of two "
                + "levels, as old programs wrote them; "
                + "expected three, such as list and element. Write the file anew, or as JSON lines.");
        }

        static string Join(IEnumerable<string> parts) => string.Join('\0', parts);
    }

    // By what the file says of itself; where it says nothing, there may be something.
    private static bool IsEmpty(ParquetRowGroupReader rows, Field field) =>
        Columns(field).All(column => rows.GetMetadata(column)?.MetaData is { Statistics.NullCount: { } nulls } chunk
            && nulls == chunk.NumValues);
}
