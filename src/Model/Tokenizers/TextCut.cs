using System.Buffers;
using System.Text;

namespace TinyLlm.Model.Tokenizers;

/// <summary>
/// Places where long text can be cut into pieces that are tokenized alone, with the same tokens as the whole has. They hold for the pre-tokenizer patterns of GPT-2, cl100k,
/// Llama 3, Qwen2 and o200k, and for tokenizers of words, characters and bytes:
/// before a space between two ASCII letters, which belongs to the second word; and after a line feed that stands alone between two characters that are no white space, nor is
/// the second a slash (o200k takes line ends and slashes together).
/// </summary>
public static class TextCut
{
    /// <summary>The largest place above 0 and below the length where UTF-8 text can be cut; 0 if there is none.</summary>
    public static int Last(ReadOnlySpan<byte> text)
    {
        for (int place = text.Length - 1; place > 0; place--)
        {
            place = text[..(place + 1)].LastIndexOfAny((byte)' ', (byte)'\n');
            if (place <= 0)
                return 0;
            if (text[place] == ' ' && IsBetweenWords(text, place))
                return place;
            if (text[place] == '\n' && IsLineEndBetweenCharacters(text, place))
                return place + 1;
        }

        return 0;
    }

    /// <summary>The smallest place above 0 and below the length where UTF-8 text can be cut; 0 if there is none.</summary>
    public static int First(ReadOnlySpan<byte> text)
    {
        for (int place = 1; place < text.Length - 1; place++)
        {
            int found = text[place..].IndexOfAny((byte)' ', (byte)'\n');
            if (found < 0)
                return 0;
            place += found;
            if (text[place] == ' ' && IsBetweenWords(text, place))
                return place;
            if (text[place] == '\n' && IsLineEndBetweenCharacters(text, place))
                return place + 1;
        }

        return 0;
    }

    private static bool IsBetweenWords(ReadOnlySpan<byte> text, int space) =>
        space + 1 < text.Length && char.IsAsciiLetter((char)text[space - 1]) && char.IsAsciiLetter((char)text[space + 1]);

    private static bool IsLineEndBetweenCharacters(ReadOnlySpan<byte> text, int lineFeed) =>
        Rune.DecodeLastFromUtf8(text[..lineFeed], out Rune before, out _) == OperationStatus.Done && !Rune.IsWhiteSpace(before)
        && Rune.DecodeFromUtf8(text[(lineFeed + 1)..], out Rune after, out _) == OperationStatus.Done && !Rune.IsWhiteSpace(after) && after.Value != '/';
}
