namespace TinyLlm.Tokenizers;

/// <summary>
/// The pattern of cl100k and Llama 3: contractions; words with the character before them; numbers; runs of punctuation
/// with the space before and the line ends after them; white space.
/// </summary>
internal sealed class Cl100kPattern : PreTokenizer
{
    private const CharacterClass NoPunctuation = CharacterClass.Letter | CharacterClass.Number
        | CharacterClass.WhiteSpace;

    /// <inheritdoc/>
    public override string Regex =>
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <inheritdoc/>
    public override int Next(ReadOnlySpan<char> text, int start) => Next(text, start, longestNumber: 3);

    /// <summary>
    /// The end of a pre-token, with numbers cut into pieces of <paramref name="longestNumber"/>. The alternatives are
    /// tried in the pattern's order.
    /// </summary>
    public static int Next(ReadOnlySpan<char> text, int start, int longestNumber)
    {
        int contraction = ContractionEnd(text, start);
        if (contraction > 0)
            return contraction;

        var first = CharacterClasses.At(text, start, out int width);
        int second = start + width;
        if ((first & CharacterClass.Letter) != 0)
            return CharacterClasses.Skip(text, second, CharacterClass.Letter);
        if (first == CharacterClass.Number)
            return NumberEnd(text, second, longestNumber);
        if (first != CharacterClass.LineEnd && second < text.Length)
        {
            // One character before a word belongs to the word: its space, or a quote or bracket.
            var following = CharacterClasses.At(text, second, out int followingWidth);
            if ((following & CharacterClass.Letter) != 0)
                return CharacterClasses.Skip(text, second + followingWidth, CharacterClass.Letter);
            if (text[start] == ' ' && (following & NoPunctuation) == 0)
                return PunctuationEnd(text, second + followingWidth);
        }

        return (first & CharacterClass.WhiteSpace) == 0 ? PunctuationEnd(text, second) : WhiteSpaceEnd(text, start);
    }

    // The rest of [^\s\p{L}\p{N}]+[\r\n]*
    private static int PunctuationEnd(ReadOnlySpan<char> text, int at) =>
        CharacterClasses.Skip(text, CharacterClasses.SkipOthers(text, at, NoPunctuation), CharacterClass.LineEnd);
}
