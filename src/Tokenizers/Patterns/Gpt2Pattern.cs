namespace TinyLlm.Tokenizers;

/// <summary>
/// GPT-2's pattern: words, numbers and runs of punctuation, each with the one space before it; English contractions in
/// lower case.
/// </summary>
/// <remarks>
/// A. Radford et al., "Language Models are Unsupervised Multitask Learners" (2019). Hugging Face's ByteLevel cuts so by
/// itself.
/// </remarks>
internal sealed class Gpt2Pattern : PreTokenizer
{
    /// <inheritdoc/>
    public override string Regex => @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <inheritdoc/>
    public override int Next(ReadOnlySpan<char> text, int start)
    {
        if (text[start] == '\'' && ContractionLength(text[start..]) is > 0 and int length)
            return start + length;

        int first = start;
        var kind = CharacterClasses.At(text, first, out int width);
        if (text[start] == ' ' && start + 1 < text.Length)
        {
            var following = CharacterClasses.At(text, start + 1, out int followingWidth);
            if ((following & CharacterClass.WhiteSpace) == 0)
                (first, kind, width) = (start + 1, following, followingWidth);
        }

        if ((kind & CharacterClass.WhiteSpace) != 0)
            return AllButLast(text, start, CharacterClasses.Skip(text, start, CharacterClass.WhiteSpace));
        if ((kind & CharacterClass.Letter) != 0)
            return CharacterClasses.Skip(text, first + width, CharacterClass.Letter);
        if (kind == CharacterClass.Number)
            return CharacterClasses.Skip(text, first + width, CharacterClass.Number);
        return CharacterClasses.SkipOthers(
            text, first + width, CharacterClass.Letter | CharacterClass.Number | CharacterClass.WhiteSpace);
    }

    private static int ContractionLength(ReadOnlySpan<char> text) =>
        text.Length > 1 && text[1] is 's' or 't' or 'm' or 'd' ? 2
        : text.Length > 2 && (text[1], text[2]) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
}
