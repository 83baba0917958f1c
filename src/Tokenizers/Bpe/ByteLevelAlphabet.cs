namespace TinyLlm.Tokenizers;

/// <summary>
/// The characters that stand for bytes in <c>tokenizer.json</c>, as GPT-2 chose them: a byte that is a visible Latin-1
/// character stands for itself, the others are U+0100, U+0101 and so on, in the order of their values. A space becomes
/// U+0120.
/// </summary>
internal static class ByteLevelAlphabet
{
    private static readonly char[] characters = Build();
    private static readonly Dictionary<char, byte> bytes = Invert(characters);

    /// <summary>Writes a token's bytes as the characters that stand for them.</summary>
    public static string ToText(ReadOnlySpan<byte> token)
    {
        Span<char> text = token.Length <= 256 ? stackalloc char[token.Length] : new char[token.Length];
        ToText(token, text);
        return new string(text);
    }

    /// <summary>Writes a token's bytes as the characters that stand for them into a span of the same length.</summary>
    public static void ToText(ReadOnlySpan<byte> token, Span<char> text)
    {
        for (int i = 0; i < token.Length; i++)
            text[i] = characters[token[i]];
    }

    /// <summary>Reads a token's bytes back; null if a character stands for no byte.</summary>
    public static byte[]? ToBytes(string text)
    {
        var token = new byte[text.Length];
        for (int i = 0; i < token.Length; i++)
        {
            if (!bytes.TryGetValue(text[i], out token[i]))
                return null;
        }

        return token;
    }

    private static char[] Build()
    {
        var table = new char[256];
        char next = '\u0100';
        for (int b = 0; b < table.Length; b++)
            table[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)b : next++;
        return table;
    }

    private static Dictionary<char, byte> Invert(char[] characters)
    {
        var bytes = new Dictionary<char, byte>(characters.Length);
        for (int b = 0; b < characters.Length; b++)
            bytes.Add(characters[b], (byte)b);
        return bytes;
    }
}
