using TinyLlm.Tokenizers;

namespace TinyLlm.Data.Sources;

/// <summary>Decides where a long document is cut into pieces.</summary>
internal static class PieceCut
{
    /// <summary>A piece is no longer than this in bytes if the text has a place to cut.</summary>
    public const int Target = 1 << 20;

    /// <summary>
    /// The longest piece in bytes: text that cannot be cut before is cut between two characters here.
    /// </summary>
    public const int Longest = 16 << 20;

    /// <summary>
    /// The length of the piece that <paramref name="text"/> begins with; 0 if that depends on more text.
    /// </summary>
    /// <param name="text">The rest of the document, or as much of it as is there.</param>
    /// <param name="isComplete">Whether the document ends where <paramref name="text"/> ends.</param>
    /// <param name="cuts">Where text can be cut.</param>
    public static int Next(ReadOnlySpan<byte> text, bool isComplete, TextCut cuts)
    {
        if (text.Length <= Target)
            return isComplete ? text.Length : 0;

        int cut = cuts.Last(text[..Target]);
        if (cut == 0)
            cut = cuts.First(text[..Math.Min(text.Length, Longest)], Target - cuts.Context);
        if (cut > 0)
            return cut;
        if (text.Length < Longest + cuts.Context)
            return isComplete ? CharacterStart(text, Math.Min(text.Length, Longest)) : 0;
        return CharacterStart(text, Longest);
    }

    /// <summary>
    /// The first place at or after <paramref name="place"/>, at most 3 bytes on, that does not lie inside a UTF-8
    /// character.
    /// </summary>
    public static int CharacterStart(ReadOnlySpan<byte> text, int place)
    {
        int stop = Math.Min(text.Length, place + 3);
        while (place < stop && (text[place] & 0xC0) == 0x80)
            place++;
        return place;
    }
}
