namespace TinyLlm.Tokenizers;

/// <summary>
/// Cuts text into pre-tokens, the pieces that byte-pair merges never cross, by a published pattern that Hugging Face
/// and llama.cpp know. Every character belongs to exactly one pre-token, and where long text can be cut
/// <see cref="TextCut"/> says for all of them.
/// </summary>
public abstract class PreTokenizer
{
    /// <summary>GPT-2's pattern.</summary>
    public static PreTokenizer Gpt2 { get; } = new Gpt2Pattern();

    /// <summary>The pattern of cl100k, GPT-4's vocabulary, and of Llama 3: numbers by up to three digits.</summary>
    public static PreTokenizer Cl100k { get; } = new Cl100kPattern();

    /// <summary>Qwen2's pattern: cl100k's with numbers digit by digit. Our own trained vocabularies use it.</summary>
    public static PreTokenizer Qwen2 { get; } = new DigitByDigit();

    /// <summary>
    /// The pattern of o200k, GPT-4o's vocabulary: words are cut where lower case turns to upper, and keep their
    /// contractions.
    /// </summary>
    public static PreTokenizer O200k { get; } = new O200kPattern();

    /// <summary>All patterns.</summary>
    public static IReadOnlyList<PreTokenizer> All { get; } = [Gpt2, Cl100k, Qwen2, O200k];

    /// <summary>The pattern, as <c>tokenizer.json</c> carries it.</summary>
    public abstract string Regex { get; }

    /// <summary>
    /// The end of the pre-token that starts at <paramref name="start"/>, a place before the end of the text.
    /// </summary>
    public abstract int Next(ReadOnlySpan<char> text, int start);

    /// <summary>
    /// <c>(?i:'s|'t|'re|'ve|'m|'ll|'d)</c>: the end of the contraction at <paramref name="start"/>, 0 if there is none.
    /// </summary>
    private protected static int ContractionEnd(ReadOnlySpan<char> text, int start)
    {
        if (start + 1 >= text.Length || text[start] != '\'')
            return 0;
        char first = Fold(text[start + 1]);
        if (first is 's' or 't' or 'm' or 'd')
            return start + 2;
        char second = start + 2 < text.Length ? Fold(text[start + 2]) : '\0';
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? start + 3 : 0;

        // U+017F, the long s, is an s to Unicode's case folding.
        static char Fold(char c) => c == '\u017F' ? 's' : char.IsAscii(c) ? char.ToLowerInvariant(c) : c;
    }

    /// <summary>
    /// <c>\s*[\r\n]+|\s+(?!\S)|\s+</c>: up to the last line end of the run; else all but the last space, which goes to
    /// the word that follows.
    /// </summary>
    private protected static int WhiteSpaceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = CharacterClasses.Skip(text, start, CharacterClass.WhiteSpace);
        int lastLineEnd = text[start..end].LastIndexOfAny('\r', '\n');
        return lastLineEnd >= 0 ? start + lastLineEnd + 1 : AllButLast(text, start, end);
    }

    /// <summary>
    /// <c>\s+(?!\S)|\s+</c> on the run of white space from <paramref name="start"/> to <paramref name="end"/>.
    /// </summary>
    private protected static int AllButLast(ReadOnlySpan<char> text, int start, int end) =>
        end == text.Length || end == start + 1 ? end : end - 1;

    /// <summary><c>\p{N}{1,limit}</c> from a number on that ends at <paramref name="at"/>.</summary>
    private protected static int NumberEnd(ReadOnlySpan<char> text, int at, int limit)
    {
        for (int count = 1; count < limit && at < text.Length
            && CharacterClasses.At(text, at, out int width) == CharacterClass.Number; count++)
            at += width;
        return at;
    }

    private sealed class DigitByDigit : PreTokenizer
    {
        public override string Regex => Qwen2Pattern.Regex;

        public override int Next(ReadOnlySpan<char> text, int start) => Qwen2Pattern.Next(text, start);
    }
}
