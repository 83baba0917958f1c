namespace TinyLlm;

/// <summary>
/// Words of the commands that messages suggest, written so that they can be pasted into a shell as they stand.
/// </summary>
public static class Shell
{
    /// <summary>
    /// A word as this system's shells take it for one: as it is where nothing in it means anything to them, else in
    /// quotes.
    /// </summary>
    public static string Quote(string word) => OperatingSystem.IsWindows() ? QuoteForWindows(word) : QuoteForUnix(word);

    /// <summary>
    /// The form for sh, bash and zsh: single quotes, within which only a single quote means anything.
    /// </summary>
    public static string QuoteForUnix(string word) => IsPlain(word, "_@%+=:,./-") ? word
        : $"'{word.Replace("'", @"'\''", StringComparison.Ordinal)}'";

    /// <summary>
    /// The form for cmd and PowerShell: double quotes. A backslash before the last of them would take its meaning away.
    /// </summary>
    public static string QuoteForWindows(string word)
    {
        if (IsPlain(word, @"_+=:./\-"))
            return word;
        string inner = word.Replace("\"", "\\\"", StringComparison.Ordinal);
        return inner.EndsWith('\\') ? $"\"{inner}\\\"" : $"\"{inner}\"";
    }

    private static bool IsPlain(string word, string alsoPlain)
    {
        if (word.Length == 0)
            return false;
        foreach (char c in word)
        {
            if (!char.IsLetterOrDigit(c) && !alsoPlain.Contains(c))
                return false;
        }

        return true;
    }
}
