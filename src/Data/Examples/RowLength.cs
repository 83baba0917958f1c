namespace TinyLlm.Data;

/// <summary>How long the rows of a set of examples are.</summary>
internal static class RowLength
{
    private const int Multiple = 16;

    /// <summary>The shortest T that holds the longest example, within the model's context.</summary>
    public static int For(int longest, int context) =>
        Math.Min(context, (longest + Multiple - 1) / Multiple * Multiple);
}
