namespace TinyLlm.Tokenizers;

/// <summary>
/// Qwen2's pattern, by which our own vocabularies are learnt: <see cref="Cl100kPattern"/> with numbers digit by digit.
/// </summary>
internal static class Qwen2Pattern
{
    /// <summary>The pattern, as <c>tokenizer.json</c> carries it.</summary>
    public const string Regex =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The end of the pre-token that starts at <paramref name="start"/>.</summary>
    public static int Next(ReadOnlySpan<char> text, int start) => Cl100kPattern.Next(text, start, longestNumber: 1);
}
