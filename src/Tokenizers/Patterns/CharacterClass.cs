using System.Globalization;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>What the pre-tokenizer patterns tell apart, as flags.</summary>
[Flags]
internal enum CharacterClass : byte
{
    /// <summary>Punctuation, symbols, control characters, unassigned ones.</summary>
    Other = 0,

    /// <summary>Upper and title case: <c>\p{Lu}</c>, <c>\p{Lt}</c>.</summary>
    Upper = 1,

    /// <summary>Lower case: <c>\p{Ll}</c>.</summary>
    Lower = 2,

    /// <summary>Letters without case: <c>\p{Lm}</c>, <c>\p{Lo}</c>.</summary>
    Caseless = 4,

    /// <summary>Combining marks: <c>\p{M}</c>.</summary>
    Mark = 8,

    /// <summary>Digits and other numbers: <c>\p{N}</c>.</summary>
    Number = 16,

    /// <summary>White space other than the line ends: <c>[^\S\r\n]</c>.</summary>
    Space = 32,

    /// <summary>Carriage return and line feed.</summary>
    LineEnd = 64,

    /// <summary><c>\p{L}</c></summary>
    Letter = Upper | Lower | Caseless,

    /// <summary><c>\s</c></summary>
    WhiteSpace = Space | LineEnd,
}

/// <summary>Looks up the class of a character in UTF-16.</summary>
/// <remarks>
/// .NET's regular expressions see UTF-16 units: to them a letter beyond U+FFFF is two units of no category, so they
/// would cut <c>U+20000</c> as punctuation where Hugging Face sees a letter. That is why the patterns are written by
/// hand.
/// </remarks>
internal static class CharacterClasses
{
    // One class per UTF-16 unit; the class of a surrogate is looked up with its pair.
    private static readonly CharacterClass[] classes = BuildClasses();

    /// <summary>The class of the character at <paramref name="at"/>, and its width in UTF-16 units.</summary>
    public static CharacterClass At(ReadOnlySpan<char> text, int at, out int width)
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

    /// <summary>The end of the run of characters of the given classes that starts at <paramref name="at"/>.</summary>
    public static int Skip(ReadOnlySpan<char> text, int at, CharacterClass wanted)
    {
        while (at < text.Length && (At(text, at, out int width) & wanted) != 0)
            at += width;
        return at;
    }

    /// <summary>The end of the run of characters that are of none of the given classes.</summary>
    public static int SkipOthers(ReadOnlySpan<char> text, int at, CharacterClass unwanted)
    {
        while (at < text.Length && (At(text, at, out int width) & unwanted) == 0)
            at += width;
        return at;
    }

    private static CharacterClass[] BuildClasses()
    {
        var table = new CharacterClass[char.MaxValue + 1];
        for (int c = 0; c < table.Length; c++)
            table[c] = Classify(c);
        return table;
    }

    private static CharacterClass Classify(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => CharacterClass.Upper,
        UnicodeCategory.LowercaseLetter => CharacterClass.Lower,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => CharacterClass.Caseless,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark =>
            CharacterClass.Mark,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber =>
            CharacterClass.Number,
        _ when codePoint is '\r' or '\n' => CharacterClass.LineEnd,
        _ when codePoint <= char.MaxValue && char.IsWhiteSpace((char)codePoint) => CharacterClass.Space,
        _ => CharacterClass.Other,
    };
}
