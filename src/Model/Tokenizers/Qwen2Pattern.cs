using System.Globalization;
using System.Text;

namespace TinyLlm.Model.Tokenizers;

/// <summary>
/// Cuts text into pre-tokens, the pieces that byte-pair merges never cross, by the pattern that Qwen2 published and that
/// Hugging Face and llama.cpp know by name. Every character belongs to exactly one pre-token.
/// </summary>
/// <remarks>
/// Written by hand because .NET's regular expressions see UTF-16 units: to them a letter beyond U+FFFF is two units of no category, so
/// they would cut <c>U+20000</c> as punctuation where Hugging Face sees a letter.
/// </remarks>
internal static class Qwen2Pattern
{
    /// <summary>The pattern, as <c>tokenizer.json</c> carries it.</summary>
    public const string Regex =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private enum Class : byte { Other, Letter, Number, Space, LineEnd }

    // One class per UTF-16 unit; the class of a surrogate is looked up with its pair.
    private static readonly Class[] classes = BuildClasses();

    /// <summary>
    /// The end of the pre-token that starts at <paramref name="start"/>. The alternatives of <see cref="Regex"/> are tried in their order.
    /// </summary>
    public static int Next(ReadOnlySpan<char> text, int start)
    {
        int contraction = ContractionEnd(text, start);
        if (contraction > 0)
            return contraction;

        Class first = ClassAt(text, start, out int width);
        int second = start + width;
        if (first == Class.Letter)
            return SkipLetters(text, second);
        if (first == Class.Number)
            return second;
        if (first != Class.LineEnd && second < text.Length)
        {
            // One character before a word belongs to the word: its space, or a quote or bracket.
            Class following = ClassAt(text, second, out int followingWidth);
            if (following == Class.Letter)
                return SkipLetters(text, second + followingWidth);
            if (text[start] == ' ' && following == Class.Other)
                return SkipPunctuation(text, second + followingWidth);
        }

        return first == Class.Other ? SkipPunctuation(text, second) : WhiteSpaceEnd(text, start);
    }

    // (?i:'s|'t|'re|'ve|'m|'ll|'d), 0 if none. U+017F, the long s, is an s to Unicode's case folding.
    private static int ContractionEnd(ReadOnlySpan<char> text, int start)
    {
        if (text[start] != '\'' || start + 1 >= text.Length)
            return 0;
        char first = Fold(text[start + 1]);
        if (first is 's' or 't' or 'm' or 'd')
            return start + 2;
        char second = start + 2 < text.Length ? Fold(text[start + 2]) : '\0';
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? start + 3 : 0;

        static char Fold(char c) => c == '\u017F' ? 's' : char.IsAscii(c) ? char.ToLowerInvariant(c) : c;
    }

    private static int SkipLetters(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && ClassAt(text, at, out int width) == Class.Letter)
            at += width;
        return at;
    }

    // The rest of [^\s\p{L}\p{N}]+[\r\n]*
    private static int SkipPunctuation(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && ClassAt(text, at, out int width) == Class.Other)
            at += width;
        while (at < text.Length && text[at] is '\r' or '\n')
            at++;
        return at;
    }

    // \s*[\r\n]+|\s+(?!\S)|\s+ : up to the last line end of the run; else all but the last space, which goes to the word that follows.
    private static int WhiteSpaceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = start, lastLineEnd = -1;
        for (; end < text.Length && classes[text[end]] is Class.Space or Class.LineEnd; end++)
        {
            if (classes[text[end]] == Class.LineEnd)
                lastLineEnd = end;
        }

        if (lastLineEnd >= 0)
            return lastLineEnd + 1;
        return end == text.Length || end == start + 1 ? end : end - 1;
    }

    private static Class ClassAt(ReadOnlySpan<char> text, int at, out int width)
    {
        char c = text[at];
        if (char.IsHighSurrogate(c) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]))
        {
            width = 2;
            return Classify(new Rune(c, text[at + 1]).Value);
        }

        width = 1;
        return classes[c];
    }

    private static Class[] BuildClasses()
    {
        var table = new Class[char.MaxValue + 1];
        for (int c = 0; c < table.Length; c++)
            table[c] = Classify(c);
        return table;
    }

    private static Class Classify(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Class.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Class.Number,
        _ when codePoint is '\r' or '\n' => Class.LineEnd,
        _ when codePoint <= char.MaxValue && char.IsWhiteSpace((char)codePoint) => Class.Space,
        _ => Class.Other,
    };
}
