namespace TinyLlm.Tokenizers;

/// <summary>
/// Cuts text into words and punctuation marks, each with the one space before it, and other white space character by
/// character. A word is letters, marks, digits and underscores, with apostrophes inside it.
/// </summary>
internal sealed class WordPattern : PreTokenizer
{
    /// <summary>The pattern, as <c>tokenizer.json</c> carries it.</summary>
    public const string Expression = @" ?[\p{L}\p{M}\p{N}_]+(?:'[\p{L}\p{M}\p{N}_]+)*| ?[^\s\p{L}\p{M}\p{N}_]|\s";

    private const CharacterClass InWord = CharacterClass.Letter | CharacterClass.Mark | CharacterClass.Number;

    /// <inheritdoc/>
    public override string Regex => Expression;

    /// <inheritdoc/>
    public override int Next(ReadOnlySpan<char> text, int start)
    {
        int first = text[start] == ' ' && start + 1 < text.Length
            && (CharacterClasses.At(text, start + 1, out _) & CharacterClass.WhiteSpace) == 0 ? start + 1 : start;
        int end = Run(text, first);
        if (end == first)
        {
            CharacterClasses.At(text, first, out int width);
            return first + width;
        }

        while (end < text.Length && text[end] == '\'' && Run(text, end + 1) is int next && next > end + 1)
            end = next;
        return end;
    }

    private static int Run(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && ((CharacterClasses.At(text, at, out int width) & InWord) != 0 || text[at] == '_'))
            at += width;
        return at;
    }
}
