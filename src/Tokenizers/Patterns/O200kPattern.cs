namespace TinyLlm.Tokenizers;

/// <summary>
/// The pattern of o200k: as cl100k's, but a word is upper case and then lower case, marks count as letters,
/// contractions stay with their word, and slashes go with the line ends after punctuation.
/// </summary>
internal sealed class O200kPattern : PreTokenizer
{
    private const CharacterClass Head = CharacterClass.Upper | CharacterClass.Caseless | CharacterClass.Mark;
    private const CharacterClass Tail = CharacterClass.Lower | CharacterClass.Caseless | CharacterClass.Mark;
    private const CharacterClass NoPunctuation = CharacterClass.Letter | CharacterClass.Number
        | CharacterClass.WhiteSpace;

    /// <inheritdoc/>
    public override string Regex =>
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <inheritdoc/>
    public override int Next(ReadOnlySpan<char> text, int start)
    {
        var first = CharacterClasses.At(text, start, out int width);
        int second = start + width;
        if (first == CharacterClass.Number)
            return NumberEnd(text, second, limit: 3);

        bool takesPrefix = (first & (CharacterClass.Letter | CharacterClass.LineEnd)) == 0;
        int word = WordEnd(text, start, second, takesPrefix, (first & CharacterClass.Mark) != 0 || !takesPrefix);
        if (word > 0)
            return ContractionEnd(text, word) is > 0 and int end ? end : word;

        if (text[start] == ' ' && second < text.Length
            && (CharacterClasses.At(text, second, out int following) & NoPunctuation) == 0)
            return PunctuationEnd(text, second + following);
        return (first & CharacterClass.WhiteSpace) == 0 ? PunctuationEnd(text, second) : WhiteSpaceEnd(text, start);
    }

    // The first two alternatives, each with the prefix and then without it, as a regular expression tries them; 0 if
    // none fits.
    private static int WordEnd(ReadOnlySpan<char> text, int start, int second, bool takesPrefix, bool takesNone)
    {
        int end = takesPrefix ? HeadAndTailEnd(text, second) : 0;
        if (end == 0 && takesNone)
            end = HeadAndTailEnd(text, start);
        if (end > 0)
            return end;

        // Without a tail, or the alternative before would have fitted.
        int begin = takesPrefix ? second : start;
        int head = CharacterClasses.Skip(text, begin, Head);
        return head > begin ? head : 0;
    }

    // Head* Tail+, 0 if it does not fit. Head takes all it can, then gives back as little as lets Tail begin.
    private static int HeadAndTailEnd(ReadOnlySpan<char> text, int start)
    {
        int last = -1; // the end of the last character that is of both
        int at = start;
        while (at < text.Length)
        {
            var kind = CharacterClasses.At(text, at, out int width);
            if ((kind & Head) == 0)
            {
                if (kind == CharacterClass.Lower)
                    return CharacterClasses.Skip(text, at, Tail);
                break;
            }

            at += width;
            if ((kind & Tail) != 0)
                last = at;
        }

        return Math.Max(last, 0);
    }

    // The rest of [^\s\p{L}\p{N}]+[\r\n/]*
    private static int PunctuationEnd(ReadOnlySpan<char> text, int at)
    {
        at = CharacterClasses.SkipOthers(text, at, NoPunctuation);
        while (at < text.Length && text[at] is '\r' or '\n' or '/')
            at++;
        return at;
    }
}
