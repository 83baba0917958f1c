namespace TinyLlm.Bench.Reporting;

/// <summary>
/// A Markdown table that grows line by line and can be read on a terminal too: cells are padded to their column's
/// title.
/// </summary>
internal sealed class Table
{
    private readonly int[] widths;

    /// <summary>Prints the head. A title padded with spaces makes its column wider.</summary>
    public Table(params string[] columns)
    {
        widths = [.. columns.Select(column => column.Length)];
        Add(columns);
        Console.WriteLine(
            "|" + string.Join("|", widths.Select((width, i) =>
                i == 0 ? new string('-', width + 2) : new string('-', width + 1) + ":")) + "|");
    }

    /// <summary>Prints a line.</summary>
    public void Add(params string[] cells) =>
        Console.WriteLine(
            "| " + string.Join(" | ", cells.Select((cell, i) =>
                i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))) + " |");
}
