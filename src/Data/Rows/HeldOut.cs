namespace TinyLlm.Data;

/// <summary>
/// Which rows of a file are for validation where no file of their own is: the last tenth, one at least.
/// </summary>
public static class HeldOut
{
    /// <summary>
    /// Adds a source's rows to those of training, and its last tenth to those of validation unless these come from
    /// elsewhere.
    /// </summary>
    /// <param name="source">The word that named it.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="what">What one of them is called.</param>
    /// <param name="elsewhere">Whether --val-data names other rows for validation.</param>
    /// <param name="train">Where training rows go.</param>
    /// <param name="validation">Where validation rows go.</param>
    /// <exception cref="TinyLlmException">There are too few to split.</exception>
    public static void Split<T>(
        string source, IReadOnlyList<T> rows, string what, bool elsewhere, List<T> train, List<T> validation)
    {
        int cut = elsewhere ? rows.Count : Math.Min(rows.Count - 1, rows.Count * 9 / 10);
        if (cut < 1)
        {
            throw new TinyLlmException($"--data {source}: {rows.Count} {what}; expected two or more, to have one for "
                + "validation. Add rows or name others by --val-data.");
        }

        train.AddRange(rows.Take(cut));
        validation.AddRange(rows.Skip(cut));
    }
}
