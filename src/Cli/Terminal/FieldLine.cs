namespace TinyLlm.Cli.Terminal;

/// <summary>A figure of a line.</summary>
/// <param name="Long">How it is written where there is room.</param>
/// <param name="Short">How it is written where there is little.</param>
/// <param name="Rank">0: it is always there; the fields of the highest rank are left out first.</param>
internal readonly record struct Field(string Long, string Short, int Rank)
{
    public Field(string text, int rank = 0)
        : this(text, text, rank)
    {
    }
}

/// <summary>
/// Lines of figures that fit a width: with short names where the long ones do not fit, and without the least important
/// figures where those do not. What was once shortened stays so, that the lines of a run look alike.
/// </summary>
internal sealed class FieldLine
{
    private int width, taken; // 0: long names; 1: short names; above: so many ranks left out, too

    /// <summary>The line for these fields.</summary>
    /// <param name="room">Its cells.</param>
    /// <param name="fields">The figures, in their order.</param>
    public string Fit(int room, params ReadOnlySpan<Field> fields)
    {
        if (room != width)
            (width, taken) = (room, 0);
        int last = 1;
        foreach (var field in fields)
            last = Math.Max(last, 1 + field.Rank);
        string line = Join(fields, taken, last);
        while (TextWrap.Cells(line) > room && taken < last)
            line = Join(fields, ++taken, last);
        return line;
    }

    private static string Join(ReadOnlySpan<Field> fields, int taken, int last)
    {
        var shown = new List<string>();
        foreach (var field in fields)
        {
            if (field.Rank <= last - taken)
                shown.Add(taken == 0 ? field.Long : field.Short);
        }

        return string.Join("  ", shown);
    }
}
