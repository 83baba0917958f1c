namespace TinyLlm.Cli.Parsing;

/// <summary>The word that somebody meant who mistyped one.</summary>
internal static class NearWord
{
    private const int NearEnough = 2;

    /// <summary>The nearest of some names; null where none is near, or where the word is one of them.</summary>
    public static string? Find(string word, IEnumerable<string> names)
    {
        string? nearest = names.MinBy(name => Distance(word, name));
        if (word.Length <= NearEnough || nearest is null)
            return null;
        return Distance(word, nearest) is > 0 and <= NearEnough ? nearest : null;
    }

    // Letters to insert, delete or change (V. Levenshtein, 1966), row by row.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[^1];
    }
}
