namespace TinyLlm.Data;

/// <summary>Where a row stands, for messages: <c>chats.jsonl, line 3</c>, <c>chats.parquet, row 3</c>.</summary>
/// <param name="Source">The file as the user named it, or the built-in corpus.</param>
/// <param name="Unit">What is counted: line or row.</param>
/// <param name="Number">Its number, from 1.</param>
public sealed record RowPlace(string Source, string Unit, long Number)
{
    /// <summary>A row that is a line of a file.</summary>
    public static RowPlace Line(string source, long number) => new(source, "line", number);

    /// <summary>A row of a table, an array or a built-in corpus.</summary>
    public static RowPlace Row(string source, long number) => new(source, "row", number);

    /// <inheritdoc/>
    public override string ToString() => $"{Source}, {Unit} {Number}";

    /// <summary>Does something with a row; what is wrong with it is told with its place.</summary>
    /// <param name="place">Where the row stands; null where it comes from no file.</param>
    /// <param name="work">What is done.</param>
    /// <exception cref="TinyLlmException">It cannot be done.</exception>
    internal static T At<T>(RowPlace? place, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (TinyLlmException e) when (place is not null)
        {
            throw new TinyLlmException($"{place}: {e.Message}", e);
        }
    }
}
