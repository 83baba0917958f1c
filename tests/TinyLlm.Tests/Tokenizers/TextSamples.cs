using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using TinyLlm.Tokenizers;

namespace TinyLlm.Tests.Tokenizers;

/// <summary>Random texts of the sorts that break tokenizers, and the plainest way to cut them.</summary>
internal static class TextSamples
{
    private static readonly string[] pieces =
    [
        "a", "b", "the", "The", " the", "ing", "xy", "x", " ", "  ", "\t", "\n", "\n\n", "\r\n", " \n", "\u00A0",
            "\u3000", "\u2028",
        "0", "12", "2024", "\u0663", "\u2167", "'s", "'S", "'re", "'LL", "'v", "'", "\"", "(", ").", "---", "!?", "$",
        "_", "\0",
        "\u00E9", "e\u0301", "\u00DF", "\u4F60\u597D", "\u4E16\u754C", "\u65E5\u672C\u8A9E", "\uD55C", "\u0414\u0430",
        "\u05D0\u05D1",
        "HELLO", "iPhone", "\u01C5", "\u02B0", "\u0301", "don't", "/", "\n/", "\U00010400", "\U00010428",
        "\U0001F600", "\U0001F468\u200D\U0001F469", "\U0001F1E9\U0001F1EA", "\U00020000", "\U0001D7D8", "\uFEFF",
        "\uFFFD", "<|endoftext|>", "<|im_start|>", "<|im_end|>",
    ];

    // Stray continuation, cut-off sequences, overlong and surrogate forms, values past U+10FFFF.
    private static readonly byte[][] invalid = [[0x80], [0xFF], [0xC3], [0xE4, 0xBD], [0xF0, 0x9F, 0x98], [0xC0, 0x80],
        [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]];

    /// <summary>
    /// Text of about <paramref name="count"/> pieces from a small random choice of them, so that pairs repeat.
    /// </summary>
    public static byte[] Random(Random random, int count, bool withInvalid)
    {
        var choice = Enumerable.Range(0, random.Next(2, 12)).Select(_ => pieces[random.Next(pieces.Length)]).ToArray();
        var bytes = new List<byte>();
        for (int i = 0; i < count; i++)
        {
            if (withInvalid && random.Next(6) == 0)
                bytes.AddRange(invalid[random.Next(invalid.Length)]);
            bytes.AddRange(Encoding.UTF8.GetBytes(choice[random.Next(choice.Length)]));
        }

        return [.. bytes];
    }

    /// <summary>
    /// The pre-tokens of <paramref name="text"/> by .NET's own regular expressions (which agree as long as there is no
    /// long s), Qwen2's unless told otherwise, each invalid byte as null. Those expressions know no characters beyond
    /// U+FFFF, so others of the same class stand in for them.
    /// </summary>
    public static List<byte[]?> PreTokens(byte[] text, string pattern = Qwen2Pattern.Regex)
    {
        var result = new List<byte[]?>();
        var run = new List<Rune>();
        for (int at = 0; at < text.Length;)
        {
            var status = Rune.DecodeFromUtf8(text.AsSpan(at), out Rune rune, out int bytes);
            if (status == OperationStatus.Done)
            {
                run.Add(rune);
            }
            else
            {
                Cut();
                result.AddRange(Enumerable.Repeat<byte[]?>(null, bytes));
            }

            at += bytes;
        }

        Cut();
        return result;

        void Cut()
        {
            string valid = string.Concat(run.Select(r => r.IsBmp ? (char)r.Value : StandIn(r)));
            foreach (Match match in Regex.Matches(valid, pattern, RegexOptions.CultureInvariant))
                result.Add(Encoding.UTF8.GetBytes(string.Concat(run.GetRange(match.Index, match.Length))));
            run.Clear();
        }
    }

    private static char StandIn(Rune character) => Rune.IsUpper(character) ? 'A' : Rune.IsLower(character) ? 'a'
        : Rune.IsLetter(character) ? '\u4E00' : Rune.IsNumber(character) ? '1' : '\u2603';
}
