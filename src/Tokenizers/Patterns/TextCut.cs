using System.Buffers;
using System.Text;

namespace TinyLlm.Tokenizers;

/// <summary>
/// Places where long text can be cut into pieces that are tokenized alone, with the same tokens as the whole has. They
/// hold for the pre-tokenizer patterns of GPT-2, cl100k, Llama 3, Qwen2 and o200k, and for tokenizers of words,
/// characters and bytes: before a space between two ASCII letters, which belongs to the second word; and after a line
/// feed that stands alone between two characters that are no white space, nor is the second a slash (o200k takes line
/// ends and slashes together). No added token of the tokenizer lies across such a place.
/// </summary>
/// <remarks>
/// Unicode's form C changes nothing across these places either: neither a space nor a line feed joins with a mark
/// behind it. Added tokens are looked for from left to right, of several at one place the longest, so a place that lies
/// in no token's name leaves all that are found where they are.
/// </remarks>
public sealed class TextCut
{
    // What the patterns look at: a character of up to 4 bytes on each side, and the line feed.
    private const int PatternContext = 16;

    private readonly (byte[] Name, int Place)[] inner; // places within added tokens where text might be cut

    /// <summary>Takes the names of added tokens, normalised where the tokenizer does so.</summary>
    internal TextCut(IEnumerable<string> names)
    {
        inner =
        [
            .. from name in names.Select(Encoding.UTF8.GetBytes)
               from place in Enumerable.Range(1, name.Length - 1)
               where name[place - 1] == '\n' || name[place] == ' ' && char.IsAsciiLetter((char)name[place - 1])
               select (name, place),
        ];
        Context = PatternContext + inner.Select(i => i.Name.Length).DefaultIfEmpty().Max();
    }

    /// <summary>The places of tokenizers whose added tokens hold none, as nearly all are.</summary>
    public static TextCut Any { get; } = new([]);

    /// <summary>How many bytes on each side of a place decide whether text is cut there.</summary>
    public int Context { get; }

    /// <summary>
    /// The largest place above 0 and below the length where UTF-8 text can be cut; 0 if there is none.
    /// </summary>
    public int Last(ReadOnlySpan<byte> text)
    {
        for (int place = text.Length - 1; place > 0; place--)
        {
            place = text[..(place + 1)].LastIndexOfAny((byte)' ', (byte)'\n');
            if (place <= 0)
                return 0;
            if (At(text, place) is > 0 and int cut)
                return cut;
        }

        return 0;
    }

    /// <summary>
    /// The smallest place at or after <paramref name="from"/>, above 0 and below the length, where UTF-8 text can be
    /// cut; 0 if there is none.
    /// </summary>
    public int First(ReadOnlySpan<byte> text, int from = 1)
    {
        for (int place = Math.Max(1, from - 1); place < text.Length - 1; place++)
        {
            int found = text[place..].IndexOfAny((byte)' ', (byte)'\n');
            if (found < 0)
                return 0;
            place += found;
            if (At(text, place) is > 0 and int cut && cut >= from)
                return cut;
        }

        return 0;
    }

    /// <summary>
    /// The place to cut that the space or line feed at <paramref name="at"/> makes; 0 if it makes none.
    /// </summary>
    private int At(ReadOnlySpan<byte> text, int at)
    {
        int cut = text[at] == ' ' && IsBetweenWords(text, at) ? at
            : text[at] == '\n' && IsLineEndBetweenCharacters(text, at) ? at + 1 : 0;
        if (cut == 0)
            return 0;
        foreach (var (name, place) in inner)
        {
            if (MayLieAcross(name, place, text, cut))
                return 0;
        }

        return cut;
    }

    private static bool IsBetweenWords(ReadOnlySpan<byte> text, int space) =>
        space + 1 < text.Length && char.IsAsciiLetter((char)text[space - 1])
        && char.IsAsciiLetter((char)text[space + 1]);

    private static bool IsLineEndBetweenCharacters(ReadOnlySpan<byte> text, int lineFeed) =>
        Rune.DecodeLastFromUtf8(text[..lineFeed], out Rune before, out _) == OperationStatus.Done
        && !Rune.IsWhiteSpace(before)
        && Rune.DecodeFromUtf8(text[(lineFeed + 1)..], out Rune after, out _) == OperationStatus.Done
        && !Rune.IsWhiteSpace(after) && after.Value != '/';

    private static bool MayLieAcross(ReadOnlySpan<byte> name, int place, ReadOnlySpan<byte> text, int cut)
    {
        for (int i = 1; i <= Math.Min(place, cut); i++)
        {
            if (Compare(name[place - i], text[cut - i]) is bool answer)
            {
                if (!answer)
                    return false;
                break;
            }
        }

        for (int i = 0; i < Math.Min(name.Length - place, text.Length - cut); i++)
        {
            if (Compare(name[place + i], text[cut + i]) is bool answer)
                return answer;
        }

        return true; // as far as the text is in sight

        // Nothing while they are equal. A character beyond ASCII may be written in several ways: it may be the token's.
        static bool? Compare(byte a, byte b) => (a | b) >= 0x80 ? true : a == b ? null : false;
    }
}
