using TinyLlm.Data.Sources;

namespace TinyLlm.Data;

/// <summary>What reading rows found besides what is learned: rows that are marked as not to be learned, and fields that
/// no form has.</summary>
public sealed class RowReport
{
    // Keys may be anything, as where a row's field is named by its number.
    private const int MostNames = 1000;

    private readonly Dictionary<string, long> fields = new(StringComparer.Ordinal);
    private readonly HashSet<string> ofRow = new(StringComparer.Ordinal);

    /// <summary>Rows that say of themselves that they are not learned: <c>"label": false</c>, <c>"weight": 0</c> and
    /// the like.</summary>
    public long NotLearned { get; private set; }

    /// <summary>The fields that were not read, in the order in which they were met, each with the number of rows that
    /// have something in it; 1,000 at most.</summary>
    public IReadOnlyCollection<KeyValuePair<string, long>> NotRead => fields;

    /// <summary>The first of <see cref="NotRead"/> for people, as "family (31,590 rows), id (12 rows)"; null where
    /// there are none.</summary>
    /// <param name="most">How many are named.</param>
    public string? Describe(int most = 12)
    {
        if (fields.Count == 0)
            return null;
        string named = string.Join(", ", fields.Take(most).Select(field =>
            $"{field.Key} ({field.Value:N0} {(field.Value == 1 ? "row" : "rows")})"));
        return fields.Count > most ? $"{named} and {fields.Count - most:N0} more" : named;
    }

    internal void AddNotLearned() => NotLearned++;

    /// <summary>A field of the row that is read now; it counts once, however often the row has it.</summary>
    internal void AddNotRead(string name) => ofRow.Add(ParquetFile.Quote(name));

    /// <summary>Ends a row.</summary>
    internal void EndRow()
    {
        foreach (string name in ofRow)
        {
            if (fields.TryGetValue(name, out long rows) || fields.Count < MostNames)
                fields[name] = rows + 1;
        }

        ofRow.Clear();
    }
}
